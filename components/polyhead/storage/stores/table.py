"""Which store a place is in: one line a scheme."""

from __future__ import annotations

from collections.abc import Mapping

from polyhead.storage.stores.base import Store
from polyhead.storage.stores.disk import DiskStore
from polyhead.storage.stores.google import GoogleStore
from polyhead.storage.stores.s3 import AmazonStore, MinioStore

STORES: Mapping[str, Store] = {
    "gs": GoogleStore(),
    "s3": AmazonStore(),
    "minio": MinioStore(),
}
"""Every store but this machine's disk, by what precedes `://`."""

_DISK = DiskStore()


def store_of(place: str) -> Store:
    """The store that a place is in; the disk, where it names no other."""
    scheme, separator, _ = place.partition("://")
    return STORES.get(scheme, _DISK) if separator else _DISK
