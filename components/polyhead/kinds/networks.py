"""Networks in files whose bytes follow from them alone: no times, no addresses, no random words."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import keras

_NO_DATE = "1980-01-01@00:00:00"
_METADATA, _CONFIG = "metadata.json", "config.json"


def save_network(network: keras.Model, out: Path) -> None:
    """Write a network as Keras saves it, the same bytes for the same network.

    Keras notes the time, and names objects that layers share by their addresses in memory. Here the time is a fixed one
    and the names are numbers, in the order in which they first occur.

    Args:
        network: Built.
        out: The `.keras` file.
    """
    network.save(out)
    with zipfile.ZipFile(out) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    metadata = json.loads(members[_METADATA])
    members[_METADATA] = json.dumps({**metadata, "date_saved": _NO_DATE}).encode()
    members[_CONFIG] = json.dumps(_numbered(json.loads(members[_CONFIG]), {})).encode()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)


def _numbered(config: Any, numbers: dict[int, int]) -> Any:
    """A configuration of Keras with small numbers in place of the addresses of shared objects."""
    if isinstance(config, list):
        return [_numbered(item, numbers) for item in config]
    if not isinstance(config, dict):
        return config
    return {
        key: numbers.setdefault(value, len(numbers)) if key == "shared_object_id" else _numbered(value, numbers)
        for key, value in config.items()
    }
