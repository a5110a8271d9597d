"""What a request holds: rows as JSON, and the columns that the served graph takes; and the way back."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyhead.errors import DataError, Problem, did_you_mean

Cell = Any
"""A value as JSON has it: a number, a word, a list of numbers, `{"b64": …}`, or None where missing."""

Columns = dict[str, NDArray[Any]]

_MOST_PROBLEMS = 20
_DATATYPES = {"float64": "FP64", "float32": "FP32", "int32": "INT32", "int64": "INT64", "bool": "BOOL"}
_NUMBERS = ("FP64", "FP32", "FP16", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
_BASE64 = "base64"


@dataclass(frozen=True)
class Column:
    """A column of the served graph.

    Attributes:
        name: As the signature has it.
        dtype: NumPy's word, such as float64; `object` for strings of bytes.
        shape: Of one row: () for a value, otherwise the length of what it has, -1 for any.
        is_picture: Whether it holds files. Default: no.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    is_picture: bool = False

    @property
    def datatype(self) -> str:
        """The open inference protocol's word for the type."""
        return _DATATYPES.get(self.dtype, "BYTES")

    @property
    def missing(self) -> Any:
        """What stands for a missing value."""
        if self.dtype == "object":
            return [] if self.shape else b""
        return [math.nan] * self.shape[0] if self.shape else math.nan


class _CellError(ValueError):
    """A value that does not fit; where it is, its caller knows."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.what)
        self.problem = problem


def document(content: bytes) -> dict[str, Any]:
    """The JSON object that a body holds.

    Raises:
        DataError: It is none.
    """
    try:
        read = json.loads(content)
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise DataError("not-json", "is not a JSON object", where="the body", hint='send {"instances": [{…}]}')
    return read


def instances_of(body: Mapping[str, Any], inputs: Sequence[Column]) -> list[Any]:
    """The rows of a request in the shape of TF Serving's REST interface.

    Args:
        body: With `instances`: a list of objects by feature; of a model with one feature a list of its values too.
        inputs: Of the graph.

    Raises:
        DataError: There is no list of rows.
    """
    unknown = [key for key in body if key not in ("instances", "signature_name")]
    if unknown or not isinstance(body.get("instances"), list):
        got = f"has {unknown[0]!r}" if unknown else "has no list of instances"
        raise DataError("no-instances", got, where="the body", hint='send {"instances": [{…}]}, one object a row')
    rows: list[Any] = body["instances"]
    alone = inputs[0].name if len(inputs) == 1 else ""
    return [{alone: row} if alone and not (isinstance(row, dict) and alone in row) else row for row in rows]


def outputs_of(body: Mapping[str, Any], signatures: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The outputs that a request in the shape of TF Serving's REST interface asks for by its signature.

    Args:
        body: With `signature_name`, or without: then it is the first one.
        signatures: Outputs by name, of those that take raw rows.

    Raises:
        DataError: There is no such signature.
    """
    name = body.get("signature_name", next(iter(signatures)))
    if not isinstance(name, str) or name not in signatures:
        what, hint = f"there is no signature {_shown(name)} of rows", did_you_mean(str(name)[:60], list(signatures))
        raise DataError("unknown-signature", what, where="signature_name", hint=hint)
    return signatures[name]


def tensors_of(body: Mapping[str, Any], inputs: Sequence[Column]) -> list[Any]:
    """The rows of a request of the open inference protocol, as `instances_of` gives them.

    Args:
        body: With `inputs`: tensors with name, shape, datatype and data. Files are BYTES in base64 with the parameter
            `content_type: base64`, or `{"b64": …}` each.
        inputs: Of the graph.

    Raises:
        DataError: A tensor is none, or they are not of as many rows each.
    """
    tensors = body.get("inputs")
    if not isinstance(tensors, list):
        raise DataError("no-inputs", "has no list of inputs", where="the body", hint="send a tensor for each feature")
    known = {column.name: column for column in inputs}
    columns: dict[str, list[Cell]] = {}
    problems: list[Problem] = []
    for at, tensor in enumerate(tensors):
        where = f"inputs[{at}]"
        try:
            name = _text_of(tensor, "name")
            if name in columns:
                raise _CellError(
                    Problem("repeated-input", f"'{name}' is there twice", hint="give each feature one tensor")
                )
            columns[name] = _cells(tensor, known.get(name))
        except _CellError as error:
            problems.append(replace(error.problem, where=where))
    counts = {len(cells) for cells in columns.values()}
    if not problems and len(counts) > 1:
        what = f"the tensors have {' and '.join(map(str, sorted(counts)))} rows"
        problems.append(Problem("different-rows", what, where="inputs", hint="give all as many"))
    if problems:
        raise DataError(problems[:_MOST_PROBLEMS])
    return [{name: cells[row] for name, cells in columns.items()} for row in range(max(counts, default=0))]


def _text_of(tensor: Any, key: str) -> str:
    found = tensor.get(key) if isinstance(tensor, dict) else None
    if not isinstance(found, str):
        raise _CellError(Problem("not-a-tensor", f"has no {key}", hint="a tensor has name, shape, datatype and data"))
    return found


def _cells(tensor: Mapping[str, Any], column: Column | None) -> list[Cell]:
    """A tensor's cells, row by row."""
    shape, data, datatype = tensor.get("shape"), tensor.get("data"), _text_of(tensor, "datatype")
    if not isinstance(data, list) or not isinstance(shape, list) or not shape or not all(map(_is_size, shape)):
        raise _CellError(
            Problem("not-a-tensor", "has no shape or no data", hint="a tensor has name, shape, datatype and data")
        )
    expected = "BYTES" if column is None or column.dtype == "object" else "a number, such as FP64"
    if column is not None and datatype != expected and not (expected != "BYTES" and datatype in _NUMBERS):
        raise _CellError(
            Problem(
                "wrong-datatype", f"is {datatype}, and '{column.name}' is {expected}", hint="see the model's metadata"
            )
        )
    flat: list[Cell] = []
    pending = [iter(data)]
    while pending:
        for value in pending[-1]:
            if isinstance(value, list):
                pending.append(iter(value))
                break
            flat.append(value)
        else:
            pending.pop()
    if len(flat) != math.prod(shape):
        raise _CellError(
            Problem(
                "wrong-shape", f"has {len(flat)} values, and its shape {shape}", hint="give as many as the shape says"
            )
        )
    parameters = tensor.get("parameters")
    if isinstance(parameters, dict) and parameters.get("content_type") == _BASE64:
        flat = [{"b64": value} if isinstance(value, str) else value for value in flat]
    width = math.prod(shape[1:])
    if column is not None and column.shape:
        return [flat[at * width : (at + 1) * width] for at in range(shape[0])]
    if width != 1:
        raise _CellError(Problem("wrong-shape", f"has the shape {shape}", hint=f"give [{shape[0]}], a value a row"))
    return flat


def _is_size(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 31


def columns_of(rows: Sequence[Any], inputs: Sequence[Column]) -> Columns:
    """Rows as the columns that the graph takes; null is missing.

    Args:
        rows: An object each, with every feature.
        inputs: Of the graph.

    Raises:
        DataError: A row lacks a feature or has another one, or a cell does not fit; the first twenty such.
    """
    problems: list[Problem] = []
    names = [column.name for column in inputs]
    cells: dict[str, list[Any]] = {name: [] for name in names}
    if not rows:
        problems.append(Problem("no-rows", "there is no row", where="the body", hint="send one at least"))
    for at, row in enumerate(rows):
        if len(problems) >= _MOST_PROBLEMS:
            break
        where = f"row {at}"
        if not isinstance(row, dict):
            what = f"is {_shown(row)}, not an object"
            problems.append(
                Problem("not-a-row", what, where=where, hint=f"send an object with {', '.join(names[:12])}")
            )
            continue
        for name in row:
            if name not in cells:
                what = f"has {str(name)[:60]!r}, which is no feature"
                problems.append(Problem("unknown-feature", what, where=where, hint=did_you_mean(str(name)[:60], names)))
        if lacking := [name for name in names if name not in row]:
            what = f"lacks {', '.join(lacking[:12])}{', …' if len(lacking) > 12 else ''}"
            hint = "send null where a value is missing"
            problems.append(Problem("missing-feature", what, where=where, hint=hint))
        for column in inputs:
            try:
                cells[column.name].append(_value(row.get(column.name), column))
            except _CellError as error:
                problems.append(replace(error.problem, where=f"{where}, feature '{column.name}'"))
    if problems:
        raise DataError(problems[:_MOST_PROBLEMS])
    return {column.name: _array(cells[column.name], column) for column in inputs}


def _array(values: list[Any], column: Column) -> NDArray[Any]:
    if column.dtype == "object":
        longest = max([1, *map(len, values)]) if column.shape else 0
        array = np.full((len(values), longest) if column.shape else len(values), b"", object)
        for row, value in enumerate(values):
            if column.shape:
                array[row, : len(value)] = value
            else:
                array[row] = value
        return array
    return np.array(values, column.dtype).reshape(len(values), *column.shape)


def joined(asked: Sequence[Columns], inputs: Sequence[Column]) -> Columns:
    """The columns of several requests as those of one, row behind row.

    Args:
        asked: As `columns_of` gives them.
        inputs: Of the graph.
    """
    if len(asked) == 1:
        return dict(asked[0])
    return {column.name: _stacked([columns[column.name] for columns in asked]) for column in inputs}


def _stacked(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Arrays end to end; lists of files are filled up to the longest."""
    if arrays[0].ndim == 2 and arrays[0].dtype == object:
        longest = max(array.shape[1] for array in arrays)
        arrays = [np.pad(array, ((0, 0), (0, longest - array.shape[1])), constant_values=b"") for array in arrays]
    return np.concatenate(arrays)


def parted(outputs: Columns, counts: Sequence[int]) -> list[Columns]:
    """Outputs by request: the way back from `joined`.

    Args:
        outputs: Of all rows, by name.
        counts: The rows of each request.
    """
    ends = np.cumsum(counts)
    return [
        {name: values[end - count : end] for name, values in outputs.items()}
        for end, count in zip(ends, counts, strict=True)
    ]


def _value(cell: Cell, column: Column) -> Any:
    if cell is None:
        return column.missing
    if column.dtype == "object":
        return _files(cell, column) if column.shape else _bytes(cell, column)
    if not column.shape:
        return _number(cell)
    length = column.shape[0]
    if not isinstance(cell, list) or len(cell) != length:
        raise _CellError(Problem("wrong-length", f"is {_shown(cell)}", hint=f"send a list of {length} numbers"))
    return [_number(part) for part in cell]


def _number(cell: Cell) -> float:
    if isinstance(cell, bool) or not isinstance(cell, (int, float)):
        raise _CellError(Problem("not-a-number", f"is {_shown(cell)}", hint="send a number without quotes, or null"))
    try:
        number = float(cell)
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise _CellError(Problem("infinite", f"is {_shown(cell)}", hint="numbers must be finite"))
    return number


def _files(cell: Cell, column: Column) -> list[bytes]:
    if not isinstance(cell, list):
        raise _CellError(Problem("not-a-list", f"is {_shown(cell)}", hint="send a list of files, or null"))
    return [b"" if one is None else _bytes(one, column) for one in cell]


def _bytes(cell: Cell, column: Column) -> bytes:
    if isinstance(cell, dict) and set(cell) == {"b64"} and isinstance(cell["b64"], str):
        try:
            return base64.b64decode(cell["b64"], validate=True)
        except (ValueError, binascii.Error):
            raise _CellError(
                Problem("broken-encoding", "is not base64", hint="encode the file's bytes, without line breaks")
            ) from None
    if column.is_picture:
        raise _CellError(
            Problem("not-a-picture", f"is {_shown(cell)}", hint='send {"b64": "…"}: the bytes of a file in base64')
        )
    if not isinstance(cell, str):
        raise _CellError(Problem("not-a-word", f"is {_shown(cell)}", hint="send it in quotes, or null"))
    try:
        return cell.encode()
    except UnicodeEncodeError:
        raise _CellError(Problem("not-text", "is not Unicode text", hint="send whole characters")) from None


def _shown(value: Any) -> str:
    """What was received, in a few words."""
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"an object with {', '.join(map(str, list(value)[:3]))[:60] or 'nothing'}"
    text = repr(value) if not isinstance(value, str) else json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 40 else f"{text[:36]} …"


def values_of(array: NDArray[Any]) -> list[Any]:
    """An output's values as JSON has them, row by row: bytes as text, None where there is no finite number."""
    if array.dtype == object:
        return [value.decode(errors="replace") for value in array]
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return [_finite(value) for value in array.tolist()]
    values: list[Any] = array.tolist()
    return values


def _finite(value: Any) -> Any:
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return value if math.isfinite(value) else None


def predictions_of(outputs: Columns) -> list[dict[str, Any]]:
    """Outputs as TF Serving's REST interface answers with `instances`: an object for each row."""
    values = {name: values_of(array) for name, array in outputs.items()}
    count = len(next(iter(values.values())))
    return [{name: column[row] for name, column in values.items()} for row in range(count)]


def tensors_from(outputs: Columns, wanted: Any) -> list[dict[str, Any]]:
    """Outputs as the open inference protocol has them.

    Args:
        outputs: By name.
        wanted: The request's `outputs`: a list of objects with a name, in the order of the answer. None: all.

    Raises:
        DataError: There is no such output.
    """
    names = list(outputs)
    if wanted is not None:
        asked = (
            [one.get("name") if isinstance(one, dict) else None for one in wanted]
            if isinstance(wanted, list)
            else [None]
        )
        for name in asked:
            if name not in outputs:
                hint = did_you_mean(str(name)[:60], list(outputs))
                raise DataError("unknown-output", f"there is no output {_shown(name)}", where="outputs", hint=hint)
        names = asked  # type: ignore[assignment]  # each is a key of outputs
    return [
        {
            "name": name,
            "shape": list(outputs[name].shape),
            "datatype": _DATATYPES.get(outputs[name].dtype.name, "BYTES"),
            "data": _flat(values_of(outputs[name])),
        }
        for name in names
    ]


def _flat(values: list[Any]) -> list[Any]:
    return [part for value in values for part in value] if values and isinstance(values[0], list) else values
