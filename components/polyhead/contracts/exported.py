"""What `export` wrote. Nothing of it is an artifact."""

from __future__ import annotations

from polyhead.contracts.artifact import Record


class Tensor(Record):
    """An input or output of an exported network.

    Attributes:
        dtype: As NumPy calls it.
        shape: None where the size is not fixed; the first is the batch.
    """

    dtype: str
    shape: list[int | None]


class Exported(Record):
    """A network in the ONNX format.

    Attributes:
        path: The file.
        bundle: The fingerprint of the bundle.
        opset: The version of ONNX' operators that it needs.
        inputs: What it takes, by name.
        outputs: What it gives, by name.
    """

    path: str
    bundle: str
    opset: int
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
