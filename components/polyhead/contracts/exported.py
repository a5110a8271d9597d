"""What `export` wrote. Nothing of it is an artifact."""

from __future__ import annotations

from polyhead.contracts.artifact import Record
from polyhead.contracts.bundle import Tensor


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
