"""Google Cloud Storage, `gs://`, with Google's Application Default Credentials."""

from __future__ import annotations

import base64
import functools
import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyhead.errors import ConflictError, StorageError
from polyhead.storage.stores.attempts import Failure
from polyhead.storage.stores.base import ObjectStat
from polyhead.storage.stores.names import parts_of
from polyhead.storage.stores.remote import WRITER, RemoteStore, client_options, content_type, retry_options

if TYPE_CHECKING:
    from google.cloud import storage
    from obstore import GetOptions
    from obstore.store import GCSStore

_PLACES = "gs://"


class GoogleStore(RemoteStore):
    """Google Cloud Storage. An object's version is its generation, its checksum CRC-32C.

    `STORAGE_EMULATOR_HOST` names an emulator.

    Attributes:
        own_client: Google's own client of this process.
    """

    def __init__(self) -> None:
        super().__init__()
        self.own_client = functools.cache(_own_client)

    def _client(self, bucket: str, *, steadfast: bool = False) -> GCSStore:
        from obstore.store import GCSStore

        client, retry = client_options(), retry_options(steadfast=steadfast)
        emulator = os.environ.get("STORAGE_EMULATOR_HOST")
        if emulator:
            client["allow_http"] = True
            return GCSStore(bucket, base_url=emulator, skip_signature=True, client_options=client, retry_config=retry)
        credentials = _fast_credentials()
        return GCSStore(bucket, credential_provider=credentials, client_options=client, retry_config=retry)

    def _hint(self, failure: Failure) -> str:
        if not failure.credentials:
            return ""
        return "run: gcloud auth application-default login, or give the job a service account that may use the bucket"

    def _look(self, place: str) -> ObjectStat:
        blob = self._blob(place)
        self._asked(place, lambda: blob.reload(retry=None))
        return _blob_stat(blob)

    def list(self, place: str) -> Iterator[ObjectStat]:
        """As `Store.list`."""
        _, bucket, key = parts_of(place)
        tries = self._tries(place)
        fields = "items(name,size,generation,crc32c),nextPageToken"
        prefix = f"{key}/" if key else ""
        blobs = iter(self.own_client().list_blobs(bucket, prefix=prefix, fields=fields, retry=tries.policy()))
        while True:
            try:
                blob = next(blobs, None)
            except Exception as error:
                raise tries.explained(error) from None
            if blob is None:
                return
            if not blob.name.endswith("/"):  # what consoles leave to show a folder
                yield _blob_stat(blob)

    def _of_version(self, version: str) -> GetOptions:
        return {"version": version}

    def write(self, place: str, content: bytes | Path, *, absent: bool, replacing: str | None) -> str:
        """As `Store.write`; its generation."""
        _, bucket, key = parts_of(place)
        token = uuid.uuid4().hex
        condition = 0 if absent else None if replacing is None else int(replacing)
        tries = self._tries(place)
        for _ in range(3):
            blob = self._blob(place, chunk_size=self.piece)
            blob.metadata = {WRITER: token}
            options = {
                "content_type": content_type(key),
                "if_generation_match": condition,
                "checksum": "crc32c",
                "retry": tries.policy(),
            }
            try:
                if isinstance(content, Path):
                    blob.upload_from_filename(str(content), **options)
                else:
                    blob.upload_from_string(content, **options)
                return str(blob.generation)
            except Exception as error:
                failed = tries.explained(error)
            lost = isinstance(failed, FileNotFoundError)  # an upload that the store has ended or forgotten
            if tries.count > 1 and (lost or isinstance(failed, ConflictError)):
                written = self._own_work(place, token)
                if written:
                    return written
            if not lost:
                raise failed from None
        raise StorageError("bucket-not-found", f"there is no bucket '{bucket}', or it loses uploads", where=place)

    def _own_work(self, place: str, token: str) -> str:
        """The version of what is there, if an earlier attempt wrote it and its response was lost."""
        blob = self._blob(place)
        try:
            self._asked(place, lambda: blob.reload(retry=None))
        except FileNotFoundError:
            return ""
        return str(blob.generation) if (blob.metadata or {}).get(WRITER) == token else ""

    def _remove(self, place: str, version: str) -> None:
        blob = self._blob(place)
        self._asked(place, lambda: blob.delete(if_generation_match=int(version), retry=None))

    def _blob(self, place: str, **options: Any) -> Any:
        _, bucket, key = parts_of(place)
        return self.own_client().bucket(bucket).blob(key, **options)


def _blob_stat(blob: Any) -> ObjectStat:
    checksum = f"crc32c:{base64.b64decode(blob.crc32c).hex()}" if blob.crc32c else ""
    return ObjectStat(f"gs://{blob.bucket.name}/{blob.name}", int(blob.size), str(blob.generation), checksum)


def _own_client() -> storage.Client:
    """A new client of Google's own library.

    Raises:
        StorageError: There are no credentials.
    """
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud import storage

    try:
        return storage.Client()
    except DefaultCredentialsError:
        raise _no_google_credentials(_PLACES) from None


def _fast_credentials() -> Any:
    """What gives the fast client its tokens: the default credentials of Google's own library."""
    from google.cloud import storage
    from obstore.auth.google import GoogleCredentialProvider

    credentials, _ = default_credentials(_PLACES, storage.Client.SCOPE)
    return GoogleCredentialProvider(credentials=credentials)


def default_credentials(place: str, scopes: Sequence[str]) -> tuple[Any, str | None]:
    """The default credentials of Google's own library, and their project where they name one.

    Args:
        place: What they are for.
        scopes: What they must allow.

    Raises:
        StorageError: There are none.
    """
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    try:
        found: tuple[Any, str | None] = google.auth.default(scopes=scopes)
    except DefaultCredentialsError:
        raise _no_google_credentials(place) from None
    return found


def _no_google_credentials(place: str) -> StorageError:
    return StorageError(
        "no-credentials",
        "no Google Cloud credentials",
        where=place,
        hint="run: gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS",
    )
