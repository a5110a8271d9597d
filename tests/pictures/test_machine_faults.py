"""What is the machine's fault stops a step with the picture's name and what to do; it never rejects a row."""

from __future__ import annotations

import errno
import io
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from faults import FAULTS, failing
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from refusals import refusal

from polyhead.contracts.config import load_config
from polyhead.errors import DeniedError, MachineError, StorageError, machine_fault
from polyhead.pictures import decode, facts, folder
from polyhead.pictures.failures import PictureError
from polyhead.pictures.folder import PictureFolder
from polyhead.preprocess import step as preprocess
from polyhead.shard import step as shard
from polyhead.validate import step as validate

if TYPE_CHECKING:
    from conftest import Tiny

FILES_OWN = {
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENXIO),
    *(errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ),
}


@given(code=st.sampled_from(sorted(errno.errorcode)))
def test_every_error_of_the_system_is_about_the_file_or_about_the_machine(code: int) -> None:
    """What is not known to be about the file is not."""
    fault = machine_fault(OSError(code, os.strerror(code)), "a.png")
    assert (fault is None) == (code in FILES_OWN)
    if fault is not None:
        (problem,) = fault.problems
        assert problem.where == "a.png"
        assert problem.what
        assert problem.hint


def test_other_errors_are_left_alone() -> None:
    """Errors of ours, of a picture and of a program are what they were."""
    picture, denied = PictureError("image_missing", "x"), DeniedError("permission-denied", "x")
    for error in (ValueError("x"), picture, denied, OSError("truncated")):
        assert machine_fault(error) is None


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("step", ["validate", "validate by a plan", "preprocess", "shard"])
@pytest.mark.parametrize("places", [[(folder, "_whole")], [(facts, "opened_picture"), (decode, "opened_picture")]])
def test_a_fault_of_the_machine_stops_every_step(
    tiny: Callable[..., Tiny],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    fault: str,
    places: list[tuple[ModuleType, str]],
) -> None:
    """While a file is read and while it is decoded; nothing is written."""
    data = tiny()
    config, out = load_config(data.config), data.folder
    calls: dict[str, Callable[[], Any]] = {
        "validate": lambda: validate.run(config=config, table=str(data.table), out=out / "V", workers=2),
        "validate by a plan": lambda: validate.run_partition(
            config=config, plan=out / "L", partition=planned.partitions[0].name, out=out / "M", workers=2
        ),
        "preprocess": lambda: preprocess.run(config=config, data=out / "V", out=out / "P"),
        "shard": lambda: shard.run(config=config, data=out / "V", preprocessing=out / "P", out=out / "S", workers=2),
    }
    made = {"validate": "V", "validate by a plan": "M", "preprocess": "P", "shard": "S"}
    if step == "validate by a plan":
        planned = validate.plan(config=config, table=str(data.table), out=out / "L", partitions=1)
    for former in ("validate", "preprocess"):
        if step in ("preprocess", "shard")[former == "preprocess" :]:
            calls[former]()
    for module, name in places:
        monkeypatch.setattr(module, name, failing(FAULTS[fault][0]))
    with refusal(MachineError, FAULTS[fault][1]) as caught:
        calls[step]()
    assert caught.problem.where.startswith("images/0")
    assert caught.problem.hint
    assert not (out / made[step]).exists()


def test_a_table_plan_stops_where_sizes_cannot_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing file has no size; a disk that fails is no missing file."""
    monkeypatch.setattr(folder.os, "stat", failing(OSError(errno.EIO, "x")))
    with refusal(MachineError, "system-error", where="a.png"):
        list(PictureFolder(str(tmp_path)).sizes(["a.png"]))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (DeniedError("access-denied", "403 Forbidden", where="gs://b/a.png", hint="ask for access"), DeniedError),
        (StorageError("server-busy", "503 Service Unavailable after 9 attempts"), StorageError),
        (TimeoutError(), MachineError),
        (OSError(errno.EMFILE, "x"), MachineError),
        (FileNotFoundError(errno.ENOENT, "x", "/secrets/token"), StorageError),
    ],
    ids=["denied", "busy", "no answer", "handles", "a file of the client's"],
)
def test_a_store_that_does_not_give_a_picture_stops_the_run(
    monkeypatch: pytest.MonkeyPatch, error: Exception, kind: type[Exception]
) -> None:
    """Rights, timeouts and a client's own files are nothing that a row can help."""
    monkeypatch.setattr(folder, "read_bytes", failing(error))
    with pytest.raises(kind):
        PictureFolder("gs://b").read("a.png")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded by what Linux tells of a process")
@pytest.mark.parametrize("kind", ["JPEG", "progressive", "CMYK", "PNG", "GIF", "BMP", "WEBP"])
def test_a_sound_picture_is_never_refused_for_want_of_memory(tmp_path: Path, kind: str) -> None:
    """With any room that it is given, it is decoded or memory ran out; several decoders would call the file broken."""
    image = Image.effect_noise((1500, 1200), 40).convert("CMYK" if kind == "CMYK" else "RGB")
    options: dict[str, Any] = {"progressive": True} if kind == "progressive" else {}
    if kind == "WEBP":
        options = {"method": 0}
    image.save(tmp_path / "a", {"progressive": "JPEG", "CMYK": "JPEG"}.get(kind, kind), **options)
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "WEBP" if kind == "WEBP" else "PNG")
    (tmp_path / "small").write_bytes(buffer.getvalue())
    code = (
        "import resource, sys\n"
        "from polyhead.pictures.decode import decode_picture\n"
        "from polyhead.pictures.facts import examine_picture\n"
        "from polyhead.pictures.failures import PictureError\n"
        "decode_picture(open('small', 'rb').read(), max_pixels=10**8)\n"
        "content = open('a', 'rb').read()\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "said = set()\n"
        "for room in (1, 2, 4, 6, 8, 12, 16, 24, 40, 200):\n"
        "    resource.setrlimit(resource.RLIMIT_AS, (used + room * 2**20, resource.RLIM_INFINITY))\n"
        "    try:\n"
        "        examine_picture(content, max_pixels=10**8, decode=True)\n"
        "        said.add('decoded')\n"
        "    except MemoryError:\n"
        "        said.add('memory')\n"
        "resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "print(*sorted(said))\n"
    )
    assert resource.RLIMIT_AS
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.stdout.split() == ["decoded", "memory"], ended.stderr
