"""Amazon S3 and what speaks its protocol, `s3://`, and the S3 store of a Kubeflow Pipelines cluster, `minio://`.

Credentials come from the default chain alone: the AWS environment, a web identity, a container's or an instance's role.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from polyhead.errors import ConflictError, StorageError
from polyhead.storage.stores.attempts import Failure
from polyhead.storage.stores.base import ObjectStat
from polyhead.storage.stores.names import parts_of
from polyhead.storage.stores.remote import (
    WRITER,
    RemoteStore,
    client_options,
    content_type,
    etag,
    meta_stat,
    retry_options,
)

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta, PutMode
    from obstore.store import GCSStore, S3Store

MINIO_ENDPOINT = "http://minio-service.kubeflow:9000"
"""Where Kubeflow Pipelines keeps its artifacts unless the environment names another place."""

_MINIO_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_SKIP_SIGNATURE",
)


class AmazonStore(RemoteStore):
    """An S3 store. An object's version is its ETag, which is an MD5 of its content or looks like one.

    Attributes:
        large: Bytes of a file from which it is sent in parts, which knows no precondition.
    """

    large: ClassVar[int] = 64 * 2**20

    def endpoint(self) -> str:
        """Where the store is, as `AWS_ENDPOINT_URL_S3` and `AWS_ENDPOINT_URL` name it; empty for AWS' own."""
        return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""

    def _client(self, bucket: str, *, steadfast: bool = False) -> S3Store:
        from obstore.store import S3Store

        client, retry = client_options(), retry_options(steadfast=steadfast)
        endpoint = self.endpoint()
        client["allow_http"] = endpoint.startswith("http://")
        authorities = os.environ.get("AWS_CA_BUNDLE")
        if authorities:
            try:
                client["root_certificate"] = Path(authorities).read_bytes()
            except OSError as error:
                raise StorageError(
                    "not-readable",
                    f"AWS_CA_BUNDLE cannot be read: {error.strerror}",
                    where=authorities,
                    hint="correct it, or unset it",
                ) from None
        if endpoint:
            return S3Store(bucket, endpoint=endpoint, client_options=client, retry_config=retry)
        return S3Store(bucket, client_options=client, retry_config=retry)

    def _hint(self, failure: Failure) -> str:
        if failure.credentials:
            return "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the job a role"
        if failure.stubborn:
            return f"the endpoint is {self.endpoint() or 'that of AWS'}; AWS_ENDPOINT_URL_S3 names another"
        return ""

    def _look(self, place: str) -> ObjectStat:
        import obstore

        _, bucket, key = parts_of(place)
        return meta_stat(place, self._asked(place, lambda: obstore.head(self.client(bucket), key)))

    def list(self, place: str) -> Iterator[ObjectStat]:
        """As `Store.list`."""
        scheme, bucket, key = parts_of(place)
        prefix = f"{key}/" if key else ""
        store = self.client(bucket)
        waiting: ObjectMeta | None = None
        while metas := self._asked(place, partial(_page, store, prefix, waiting["path"] if waiting else None)):
            for meta in metas:
                if waiting is not None and not _marks_folder(waiting, meta, key):
                    yield meta_stat(f"{scheme}://{bucket}/{waiting['path']}", waiting)
                waiting = meta
        if waiting is not None and not _marks_folder(waiting, None, key):
            yield meta_stat(f"{scheme}://{bucket}/{waiting['path']}", waiting)

    def _of_version(self, version: str) -> GetOptions:
        return {"if_match": version}

    def write(self, place: str, content: bytes | Path, *, absent: bool, replacing: str | None) -> str:
        """As `Store.write`; its ETag."""
        import obstore

        _, bucket, key = parts_of(place)
        token = uuid.uuid4().hex
        mode: PutMode = "overwrite"
        if absent:
            mode = "create"
        elif replacing is not None:
            mode = {"e_tag": replacing}
        large = isinstance(content, Path) and content.stat().st_size > self.large
        if large and mode != "overwrite":
            found = self.stat(place)
            if found is not None if absent else found is None or found.version != replacing:
                raise ConflictError(
                    "changed-meanwhile", "was written or removed by another process meanwhile", where=place
                )
        store = self.client(bucket, steadfast=large)
        failed = False

        def put() -> str:
            nonlocal failed
            try:
                done = obstore.put(
                    store,
                    key,
                    content,
                    attributes={WRITER: token, "Content-Type": content_type(key)},
                    mode="overwrite" if large else mode,
                    use_multipart=large,
                    chunk_size=self.piece,
                )
            except Exception:
                failed = True
                raise
            return etag(done["e_tag"])

        try:
            return self._asked(place, put)
        except (ConflictError, FileNotFoundError):
            written = self._own_work(place, token) if failed else ""
            if written:
                return written
            raise ConflictError(
                "changed-meanwhile", "was written or removed by another process meanwhile", where=place
            ) from None

    def _own_work(self, place: str, token: str) -> str:
        """The version of what is there, if an earlier attempt wrote it and its response was lost."""
        import obstore

        _, bucket, key = parts_of(place)
        store = self.client(bucket)
        try:
            found = self._asked(place, lambda: obstore.get(store, key, options={"head": True}))
        except FileNotFoundError:
            return ""
        return etag(found.meta["e_tag"]) if found.attributes.get(WRITER) == token else ""

    def _remove(self, place: str, version: str) -> None:  # noqa: ARG002  # S3 stores know no such condition
        import obstore

        _, bucket, key = parts_of(place)
        self._asked(place, lambda: obstore.delete(self.client(bucket), key))


class MinioStore(AmazonStore):
    """Where Kubeflow Pipelines keeps its artifacts. Nobody is asked for an instance's role there."""

    def endpoint(self) -> str:
        """As for S3; then, as in Kubeflow Pipelines, the service `minio-service` of the pod's own namespace.

        Default: `MINIO_ENDPOINT`.
        """
        host, port = os.environ.get("MINIO_SERVICE_SERVICE_HOST"), os.environ.get("MINIO_SERVICE_SERVICE_PORT")
        return super().endpoint() or (f"http://{host}:{port}" if host and port else MINIO_ENDPOINT)

    def _client(self, bucket: str, *, steadfast: bool = False) -> S3Store:
        if not any(os.environ.get(name) for name in _MINIO_CREDENTIALS):
            raise StorageError(
                "no-credentials",
                "no credentials were found",
                where=f"minio://{bucket}",
                hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; Kubeflow Pipelines keeps them in the secret "
                "mlpipeline-minio-artifact",
            )
        return super()._client(bucket, steadfast=steadfast)


def _page(store: GCSStore | S3Store, prefix: str, after: str | None) -> Sequence[ObjectMeta]:
    """Objects that follow a name; a listing that breaks is begun again there."""
    import obstore

    metas = next(iter(obstore.list(store, prefix or None, offset=after, chunk_size=1000)), [])
    return metas[1:] if metas and metas[0]["path"] == after else metas  # a folder's mark sorts behind its own path


def _marks_folder(meta: ObjectMeta, following: ObjectMeta | None, prefix: str) -> bool:
    """Whether an object is what consoles leave to show a folder: its name ends in a slash, which obstore hides."""
    below = following is not None and following["path"].startswith(meta["path"] + "/")
    return meta["size"] == 0 and (below or meta["path"] == prefix)
