"""Shards in a bucket: shared by workers, copied from, and what stands beside them when too many rows are rejected."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from buckets import Store, left_in
from commandline import digests
from objectstores import Faults
from refusals import refusal

from polyhead.contracts.shards import TIMINGS, ShardTimings
from polyhead.errors import ArtifactError, DataError, StorageError
from polyhead.shard import step
from polyhead.storage import artifact
from polyhead.storage.objects import read_bytes, stat, write_object
from polyhead.storage.stores import attempts


def given(data: Any, **places: str) -> dict[str, Any]:
    return {"config": data.config, "data": data.data, "preprocessing": data.preprocessing, **places}


def timings(store: Store, key: str) -> ShardTimings:
    return ShardTimings.model_validate_json(read_bytes(store.place(f"{key}/{TIMINGS}")))


def test_several_workers_write_the_shards_of_one(fresh: Any, store: Store, temporary: Path) -> None:
    """Plan, partitions and merge in a bucket that fails now and then: every byte of a local run by one worker."""
    _, single = fresh.shard("single")
    store.gate.faults = Faults(share=0.05, seed=1)
    plan = store.place("plan")
    names = step.plan(**given(fresh, out=plan), partitions=3).names
    parts = [store.place(f"part/{name}") for name in names]
    for name, part in zip(names, parts, strict=True):
        step.run_partition(**given(fresh, plan=plan, out=part), partition=name)
    step.merge(**given(fresh, plan=plan, out=store.place("merged")), parts=parts[::-1])
    made, store.gate.faults = store.gate.faults.made, Faults()
    assert sum(made.values()) > 0
    assert store.digests("merged") == digests(single)
    assert left_in(temporary) == []


def test_a_damaged_part_is_named_by_its_place(fresh: Any, store: Store, temporary: Path) -> None:
    """Nothing appears at the output."""
    plan, part = store.place("plan"), store.place("part")
    step.plan(**given(fresh, out=plan), partitions=1)
    step.run_partition(**given(fresh, plan=plan, out=part), partition="00000-of-00001")
    write_object(f"{part}/rejected.parquet", b"spoilt")
    with pytest.raises(ArtifactError) as caught:
        step.merge(**given(fresh, plan=plan, out=store.place("merged")), parts=[part])
    [problem] = caught.value.problems
    assert problem.where == f"{part}/rejected.parquet"
    assert str(caught.value).startswith(f"{part}/rejected.parquet: was changed after it was written: 6 bytes")
    assert store.digests("merged") == {}
    assert left_in(temporary) == []


def test_pictures_are_copied_from_shards_in_a_bucket(fresh: Any, store: Store, temporary: Path) -> None:
    """From those named by `reuse`, and from those that stand at the output; the bytes are those of a fresh run."""
    _, single = fresh.shard("single")
    step.run(**given(fresh, out=store.place("S")))
    assert timings(store, "S").kept == 0
    for places in ({"out": store.place("again"), "reuse": store.place("S")}, {"out": store.place("S")}):
        step.run(**given(fresh, **places))
        key = places["out"].removeprefix(f"{store.root}/")
        assert (timings(store, key).decoded, timings(store, key).kept > 40) == (0, True)
        assert store.digests(key) == digests(single)
    assert left_in(temporary) == []


def test_shards_that_were_changed_in_the_bucket_are_not_copied_from(
    fresh: Any, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither from a spoilt shard, nor by a spoilt index, of which the user is told."""
    manifest, single = fresh.shard("single")
    step.run(**given(fresh, out=store.place("S")))
    for shard in manifest.shards:
        write_object(store.place(f"S/{shard.path}"), b"spoilt")
    step.run(**given(fresh, out=store.place("T"), reuse=store.place("S")))
    assert timings(store, "T").kept == 0
    write_object(store.place("S/pictures.arrow"), b"spoilt")
    step.run(**given(fresh, out=store.place("T"), reuse=store.place("S")))
    assert f"warning: {store.place('S')} has no usable shards" in capsys.readouterr().err
    assert store.digests("T") == digests(single)


def test_a_store_that_keeps_earlier_shards_back_stops_the_step(
    fresh: Any, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not taken for one that has none."""
    step.run(**given(fresh, out=store.place("S")))
    monkeypatch.setattr(attempts, "DEADLINE", 0.1)
    store.gate.faults = Faults(always="503")
    with refusal(StorageError, "server-busy", shows=["503"]):
        step.run(**given(fresh, out=str(fresh.folder / "T"), reuse=store.place("S")))


def test_too_many_rejected_rows_stand_beside_the_output(vanished: Any, store: Store, tmp_path: Path) -> None:
    """As on a disk; a run that ends well takes them away again."""
    section = vanished.config.validate_.model_copy(update={"on_bad_row": "fail"})
    strict = vanished.config.model_copy(update={"validate_": section})
    beside = store.place("runs/S.rejected.parquet")
    with refusal(DataError, "too-many-rejected", "image-missing", "run-stopped", shows=[beside]):
        step.run(**{**given(vanished, out=store.place("runs/S/")), "config": strict})
    assert pl.read_parquet(io.BytesIO(read_bytes(beside)))["key"].to_list() == ["k0005"]
    assert store.digests("runs/S") == {}
    step.run(**given(vanished, out=store.place("runs/S")))
    assert stat(beside) is None
    _, single = vanished.shard("single")
    assert store.digests("runs/S") == digests(single)


def test_a_killed_step_goes_on_on_the_same_machine(
    fresh: Any, store: Store, temporary: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """When the upload breaks, the shards are not written again."""
    _, single = fresh.shard("single")
    with monkeypatch.context() as patched:

        def failing(*_: object, **__: object) -> str:
            raise StorageError("server-busy", "503", where=store.place("S"))

        patched.setattr(artifact, "upload_folder", failing)
        with refusal(StorageError, "server-busy", shows=["503"]):
            step.run(**given(fresh, out=store.place("S")))
    capsys.readouterr()
    manifest = step.run(**given(fresh, out=store.place("S")))
    count = len(manifest.shards)
    assert f"{count} of {count} shards finished by an earlier attempt" in capsys.readouterr().err
    assert store.digests("S") == digests(single)
    assert left_in(temporary) == []
