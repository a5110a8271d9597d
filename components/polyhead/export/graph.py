"""The network of a bundle as an ONNX model: encoded features in, every head's answers out."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
from onnx import GraphProto, ModelProto, NodeProto, defs, helper
from tf2onnx import optimizer, tf_loader, tfonnx
from tf2onnx.handler import tf_op

from polyhead import __version__
from polyhead.contracts.bundle import ModelBundle, Tensor
from polyhead.contracts.preprocessing import Fitted
from polyhead.errors import ArtifactError, Problem
from polyhead.kinds.protocols.graph import Batch

OPSET = 18
"""Of ONNX 1.13 and ONNX Runtime 1.14, of early 2023; the newest that the converter writes."""

_HINT = "serve the bundle's SavedModel, or train without this part"
_ROOT = "core"


@tf_op("Erfc")
class _ComplementaryError:
    """1 - erf(x), which is what GELU is made of here; the converter knows erf alone."""

    @classmethod
    def version_9(cls, ctx: Any, node: Any, **_: Any) -> None:
        """Replace the node."""
        shapes, dtypes, output = node.output_shapes, node.output_dtypes, node.output[0]
        dtype = helper.tensor_dtype_to_np_dtype(dtypes[0])
        ctx.remove_node(node.name)
        one = ctx.make_const(f"{node.name}__one", np.array(1, dtype)).output[0]
        error = ctx.make_node("Erf", list(node.input), shapes=shapes, dtypes=dtypes).output[0]
        ctx.make_node("Sub", [one, error], outputs=[output], name=node.name, shapes=shapes, dtypes=dtypes)


def numbered(fitted: Fitted) -> Fitted:
    """The same with the numbers of classes in the place of their names, which networks of numbers do without."""
    statistics = {
        name: of.model_copy(update={"classes": list(range(len(of.names)))})
        if "classes" in type(of).model_fields
        else of
        for name, of in fitted.held.target_statistics.items()
    }
    return replace(fitted, held=fitted.held.model_copy(update={"target_statistics": statistics}))


def onnx_model(
    answers: Callable[[Batch], Batch],
    specs: Mapping[str, tf.TensorSpec],
    bundle: ModelBundle,
    fitted: Fitted,
) -> ModelProto:
    """A network with its heads' answers.

    Args:
        answers: Of the network's inputs by name, tensors by name; no strings.
        specs: Of these inputs.
        bundle: The contract of the bundle.
        fitted: What was fitted on the train rows.

    Returns:
        Its inputs and outputs have these names, and a batch of any size. What heads and classes there are stands in
        its metadata.

    Raises:
        ArtifactError: A part of the network has no form in ONNX; all such parts are named.
    """
    names: list[str] = []

    def said(*inputs: tf.Tensor) -> list[tf.Tensor]:
        outputs = answers(dict(zip(specs, inputs, strict=True)))
        names[:] = outputs
        return list(outputs.values())

    function = tf.function(said, input_signature=list(specs.values()), autograph=False).get_concrete_function()
    taken = [tensor.name for tensor in function.inputs if tensor.dtype != tf.resource]
    given = [tensor.name for tensor in function.outputs]
    with _quiet_converter(), tf.device("/cpu:0"):
        frozen = tf_loader.from_function(function, taken, given)
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(frozen, name="")
            made = tfonnx.process_tf_graph(
                graph,
                opset=OPSET,
                input_names=taken,
                output_names=given,
                continue_on_error=True,
                tensors_to_rename=dict(zip([*taken, *given], [*specs, *names], strict=True)),
            )
        model = optimizer.optimize_graph(made, catch_errors=False).make_model(_ROOT)
    if problems := list(_without_form(model, fitted)):
        raise ArtifactError(problems)
    model.producer_name, model.producer_version = "polyhead", __version__
    helper.set_model_props(model, _metadata(bundle, fitted))
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        what = f"cannot be written in ONNX: {str(error).strip().splitlines()[0]}"
        raise ArtifactError("not-in-onnx", what, where="network", hint=_HINT) from None
    return model


@contextlib.contextmanager
def _quiet_converter() -> Iterator[None]:
    """What it cannot convert is said in other words."""
    log = logging.getLogger("tf2onnx")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def tensors(values: Sequence[Any]) -> dict[str, Tensor]:
    """Inputs or outputs of an ONNX model, by name."""
    found = {}
    for value in values:
        kind = value.type.tensor_type
        shape = [one.dim_value if one.HasField("dim_value") else None for one in kind.shape.dim]
        found[value.name] = Tensor(dtype=helper.tensor_dtype_to_np_dtype(kind.elem_type).name, shape=shape)
    return found


def _metadata(bundle: ModelBundle, fitted: Fitted) -> dict[str, str]:
    heads: dict[str, dict[str, Any]] = {}
    for name, statistics in fitted.target_statistics.items():
        heads[name] = {"kind": bundle.heads[name]}
        for words in ("classes", "labels", "levels"):
            if (of := getattr(statistics, words, None)) is not None:
                heads[name][words] = list(of)
        if name in bundle.decisions:
            heads[name]["thresholds"] = bundle.decisions[name].thresholds
        if name in bundle.radii:
            heads[name]["confidence"] = bundle.conformity[name].level
    return {
        "polyhead.version": __version__,
        "polyhead.bundle": bundle.fingerprint(),
        "polyhead.heads": json.dumps(heads, ensure_ascii=False),
        "polyhead.features": json.dumps({name: of.kind for name, of in fitted.features.items()}, ensure_ascii=False),
    }


def _without_form(model: ModelProto, fitted: Fitted) -> Iterator[Problem]:
    """The operations that ONNX does not have, each once for every part of the network that is made of them."""
    lacking = [node for node in _nodes(model.graph) if node.domain or not defs.has(node.op_type, "")]
    for part, operation in dict.fromkeys((_part(node.name, fitted), node.op_type) for node in lacking):
        yield Problem(
            "not-in-onnx",
            f"is made of {operation}, which has no form in ONNX",
            where=part,
            hint=_HINT,
        )


def _nodes(graph: GraphProto) -> Iterator[NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)


def _part(node: str, fitted: Fitted) -> str:
    """What a node belongs to, by the names of Keras' layers: a head, or the encoder of a kind or a feature."""
    for layer in node.split("/"):
        first, _, rest = layer.partition("__")
        if not rest:
            continue
        if first in fitted.targets:
            return f"head '{first}'"
        features = [name for name, feature in fitted.features.items() if feature.kind == first]
        own = [name for name in features if rest.partition("__")[0] == name]
        if features:
            return f"encoder of {', '.join(repr(name) for name in own or features)}"
    return f"layer '{node}'"
