"""The names of objects in a store: scheme, bucket and key."""

from __future__ import annotations

import re
from typing import NamedTuple

from polyhead.errors import DataError

_SETTINGS = re.compile(r"\?(?:.*&)?(?:endpoint|region|disableSSL|s3ForcePathStyle|hostname_immutable)=")


class RemotePlace(NamedTuple):
    """The parts of a remote place.

    Attributes:
        scheme: What precedes `://`.
        bucket: Its bucket.
        key: The object's name there, or the prefix of several; it does not begin with a slash.
    """

    scheme: str
    bucket: str
    key: str


def parts_of(place: str) -> RemotePlace:
    """The parts of a remote place.

    Raises:
        DataError: It names no bucket, or holds settings of the store.
    """
    scheme, _, rest = place.partition("://")
    bucket, _, key = rest.partition("/")
    if not bucket:
        raise DataError("no-bucket", "does not name a bucket", where=place, hint=f"write {scheme}://bucket/object")
    if _SETTINGS.search(place):
        raise DataError(
            "store-settings-in-place",
            "contains store settings after a question mark",
            where=place,
            hint="leave them out, and set AWS_ENDPOINT_URL_S3 and AWS_REGION in the environment",
        )
    return RemotePlace(scheme, bucket, key.strip("/"))
