"""Files of pretrained networks: brought into the artifact of `preprocess`, and checked without Keras.

A `.keras` file is a ZIP archive of `config.json`, the network's layers, and its weights. What only a built network
shows, `polyhead.kinds.features.image.backbone.graph.load_backbone` checks when a step loads it.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from polyhead.errors import DataError, Problem
from polyhead.kinds.features.image.config import IMAGENET, KERAS_FILE, Backbone, Encoder
from polyhead.kinds.fitting.fit import Site
from polyhead.storage.artifact import sha256_of
from polyhead.storage.objects import download_file
from polyhead.storage.places import check_scheme, is_remote, join

FOLDER = "backbones"
"""Where an artifact keeps them."""

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
_MODELS = ("Functional", "Sequential")
_FOREIGN = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "__lambda__", "function")
"""What runs code, or reads files, that are not Keras' own."""
_CHANNELS, _TENSOR = 3, "__keras_tensor__"
_SAVE = "save the network without its head as model.save('backbone.keras'), pixels from 0 to 255 as its one input"


def keep_backbone(encoder: Encoder, size: tuple[int, int], site: Site) -> Backbone:
    """Put a backbone's file into an artifact, under the name of its content.

    Args:
        encoder: Which.
        size: Height and width of the pictures that it is to see.
        site: The artifact, and where relative places start.

    Raises:
        DataError: There is no such file, its bytes are no Keras model's, it has code of its own, or it does not take
            pictures of that size; all of this at once. Or the weights cannot be fetched.
        StorageError: A store does not give it.
    """
    source = _source(encoder, site)
    kept = site.directory / FOLDER / f"{sha256_of(source)}{KERAS_FILE}"
    width = _checked_width(source, size, encoder.backbone)
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        shutil.copyfile(source, kept)
    return Backbone(path=kept.relative_to(site.directory).as_posix(), sha256=kept.stem, width=width)


def _source(encoder: Encoder, site: Site) -> Path:
    """The backbone as a local file; one that had to be brought here lies beside the artifact's own files."""
    if encoder.is_file:
        return _local(encoder.backbone, site)
    wanted = encoder.model_dump_json(include={"backbone", "weights"})
    made = site.directory / f".{hashlib.sha256(wanted.encode()).hexdigest()}{KERAS_FILE}"
    if not made.exists():
        from polyhead.kinds.features.image.backbone.application import write_application

        weights = encoder.weights or IMAGENET
        write_application(encoder.backbone, weights if weights == IMAGENET else str(_local(weights, site)), made)
    return made


def _local(named: str, site: Site) -> Path:
    place = join(site.table_folder, named)
    check_scheme(place)
    missing = DataError("file-not-found", "no such file", where=place, hint="give it relative to the table's folder")
    if not is_remote(place):
        if not Path(place).is_file():
            raise missing
        return Path(place)
    suffix = "".join(Path(named).suffixes[-2:])
    copy = site.directory / f".{hashlib.sha256(place.encode()).hexdigest()}{suffix}"
    if not copy.exists():
        with tempfile.NamedTemporaryFile(dir=site.directory, prefix=".", delete=False) as file:
            try:
                download_file(place, file)
            except FileNotFoundError:
                raise missing from None
        Path(file.name).rename(copy)
    return copy


def _checked_width(path: Path, size: tuple[int, int], name: str) -> int:
    """The width of the vector that a network makes of a picture.

    Raises:
        DataError: It cannot be used; all reasons at once.
    """
    config = _config(path, name)
    problems = list(_foreign(config, name))
    if config.get("class_name") not in _MODELS:
        what = f"is a {config.get('class_name')}, neither a functional nor a sequential model"
        problems.append(Problem("backbone-custom-code", what, where=name, hint=_SAVE))
    if problems:
        raise DataError(problems)
    try:
        problems += _input_problems(config, size, name)
        width = _width(config)
    except (KeyError, IndexError, TypeError, AttributeError):
        raise DataError("backbone-not-keras", f"has a damaged {_CONFIG}", where=name, hint=_SAVE) from None
    if width is None:
        what = f"ends in {_last(config)[0]['class_name']}, whose width its file does not tell"
        hint = "end it in GlobalAveragePooling2D or Dense"
        problems.append(Problem("backbone-output", what, where=name, hint=hint))
    if problems or width is None:
        raise DataError(problems)
    return width


def _config(path: Path, name: str) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            config = json.loads(archive.read(_CONFIG)) if _CONFIG in names else None
    except (zipfile.BadZipFile, ValueError, RecursionError, EOFError, NotImplementedError, RuntimeError):
        raise DataError("backbone-not-keras", "is not a Keras model file", where=name, hint=_SAVE) from None
    if not isinstance(config, dict) or _WEIGHTS not in names:
        missing = _WEIGHTS if config else _CONFIG
        raise DataError("backbone-not-keras", f"is not a Keras model file: it has no {missing}", where=name, hint=_SAVE)
    return config


def _foreign(config: object, name: str) -> Iterator[Problem]:
    """What of a network is not of Keras: each class once."""
    seen = set()
    for part in _parts(config):
        module, made_of, registered = part.get("module"), part["class_name"], part.get("registered_name")
        own = module is None and str(made_of).startswith("__")
        known = own or str(module).partition(".")[0] == "keras"
        if (known and made_of not in _FOREIGN and registered in (None, made_of)) or made_of in seen:
            continue
        seen.add(made_of)
        what = f"has code of its own: {registered or made_of}"
        yield Problem("backbone-custom-code", what, where=name, hint="use layers of keras.layers, and no Lambda")


def _parts(config: object) -> Iterator[dict[str, Any]]:
    """Every object that a configuration of Keras describes."""
    left = [config]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            if "class_name" in one:
                yield one
            left += one.values()
        elif isinstance(one, list):
            left += one


def _input_problems(model: Mapping[str, Any], size: tuple[int, int], name: str) -> Iterator[Problem]:
    shapes = [
        layer["config"]["batch_shape"] for layer in model["config"]["layers"] if layer["class_name"] == "InputLayer"
    ]
    if not shapes and model["config"].get("build_input_shape"):
        shapes = [model["config"]["build_input_shape"]]
    wanted = (None, *size, _CHANNELS)
    if len(shapes) != 1:
        what = f"has {len(shapes)} inputs; it must have one, of pictures"
        yield Problem("backbone-input", what, where=name, hint=_SAVE)
    elif len(shapes[0]) != len(wanted) or shapes[0][-1] != _CHANNELS:
        what = f"takes {_shown(shapes[0])}; it must take (batch, height, width, {_CHANNELS})"
        yield Problem("backbone-input", what, where=name, hint=_SAVE)
    elif any(takes not in (None, given) for takes, given in zip(shapes[0], wanted, strict=True)):
        what = f"takes {_shown(shapes[0])}, but the feature's size is [{size[0]}, {size[1]}]"
        hint = f"set size: [{shapes[0][1]}, {shapes[0][2]}]" if shapes[0][0] is None else _SAVE
        yield Problem("backbone-input", what, where=name, hint=hint)


def _shown(shape: list[int | None]) -> str:
    return f"({', '.join('any' if length is None else str(length) for length in shape)})"


def _last(model: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[list[int | None]]]:
    """The layer that gives a model's output, inside of models that are its layers, and the shapes that it gets."""
    layers = model["config"]["layers"]
    last = layers[-1]
    if model["class_name"] == "Functional":
        outputs = model["config"]["output_layers"]
        output = outputs[0] if isinstance(outputs[0], list) else outputs
        last = next(layer for layer in layers if layer.get("name", layer["config"]["name"]) == output[0])
    if last["class_name"] in _MODELS:
        return _last(last)
    given = [part["config"]["shape"] for part in _parts(last.get("inbound_nodes")) if part["class_name"] == _TENSOR]
    built = last.get("build_config", {}).get("input_shape")
    if given or built or len(layers) < 2:
        return last, given or [built]
    before = layers[-2]["config"]  # of a sequential model, which notes no shapes
    return last, [[None, before.get("filters", before.get("units"))]]


def _width(model: Mapping[str, Any]) -> int | None:
    """Numbers in the last layer's vector, as far as its own settings and the shapes of its inputs tell."""
    last, shapes = _last(model)
    if "units" in last["config"]:
        return int(last["config"]["units"])
    if any(shape[-1] is None for shape in shapes):
        return None
    if last["class_name"] == "Flatten":
        lengths = [length for length in shapes[0][1:] if length is not None]
        return math.prod(lengths) if len(lengths) == len(shapes[0]) - 1 else None
    widths = [shape[-1] or 0 for shape in shapes]
    return sum(widths) if last["class_name"] == "Concatenate" else widths[0]
