"""A bucket is a disk: the commands read and write artifacts there, and give the bytes of a run on local files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from buckets import Store, left_in
from commandline import Result, digests
from objectstores import Faults

from polyhead.storage.objects import read_bytes, write_object

STEPS = ("validate", "preprocess", "shard")
SHARED = ("--partitions", "2")


@pytest.fixture
def data(tiny: Any) -> Any:
    """A small table with pictures, a category and texts."""
    return tiny(train={"epochs": 1}, ensemble={"members": []}, publish={"ungated": True})


@pytest.fixture
def prepare(polyhead: Callable[..., Result], data: Any) -> Callable[[str], None]:
    """Runs the commands up to the shards, their artifacts below a root."""

    def run(root: str) -> None:
        for command in (
            ("validate", data.config, "--out", f"{root}/validate"),
            ("preprocess", data.config, "--data", f"{root}/validate", "--out", f"{root}/preprocess"),
            ("shard", data.config, *inputs(root), "--out", f"{root}/shard"),
        ):
            done(polyhead(*command))

    return run


def inputs(root: str) -> list[str]:
    """What the commands that read rows read."""
    return ["--data", f"{root}/validate", "--preprocessing", f"{root}/preprocess"]


def done(result: Result) -> Result:
    assert result.code == 0, result.err
    return result


def test_the_light_steps_write_the_bytes_of_a_local_run(
    prepare: Callable[[str], None], store: Store, tmp_path: Path, temporary: Path
) -> None:
    """Although one request in twenty fails; nothing is left on this machine."""
    prepare("local")
    store.gate.faults = Faults(share=0.05, seed=3)
    prepare(store.place("run"))
    made, store.gate.faults = store.gate.faults.made, Faults()
    assert sum(made.values()) > 0
    for step in STEPS:
        assert store.digests(f"run/{step}") == digests(tmp_path / "local" / step)
    assert left_in(temporary) == []


def test_what_a_step_does_not_read_is_not_fetched(
    prepare: Callable[[str], None], polyhead: Callable[..., Result], data: Any, store: Store
) -> None:
    """The merge of shards joins what others made of the clean table: of that it takes the report alone."""
    root, name = store.place("run"), "00000-of-00001"
    plan, part, merged = f"{root}/plan", f"{root}/part", f"{root}/merged"
    prepare(root)
    done(polyhead("shard-plan", data.config, *inputs(root), "--partitions", 1, "--out", plan))
    done(polyhead("shard-partition", data.config, name, *inputs(root), "--plan", plan, "--out", part))
    for command, wanted in (
        (("shard", data.config, *inputs(root), "--out", f"{root}/shard"), True),
        (("shard-merge", data.config, *inputs(root), "--plan", plan, "--part", part, "--out", merged), False),
    ):
        store.gate.requests.clear()
        done(polyhead(*command))
        fetched = [unquote(path) for method, path, _ in store.gate.requests if method == "GET"]
        assert any("run/validate/ValidationReport.json" in path for path in fetched)
        assert any("run/validate/clean.parquet" in path for path in fetched) is wanted
    assert store.digests("run/merged") == store.digests("run/shard")


def chain(polyhead: Callable[..., Result], data: Any, root: str) -> tuple[Any, bytes, bytes]:
    """From the shards to predictions by the published version, by one worker and by two in turn."""

    def call(*arguments: str | Path) -> Any:
        return json.loads(done(polyhead(*arguments, "--json")).out)

    fitted = ["--shards", f"{root}/shard", "--preprocessing", f"{root}/preprocess"]
    judged = ["--bundle", f"{root}/train", "--evaluation", f"{root}/evaluate"]
    call("train", data.config, *fitted, "--out", f"{root}/train")
    report = call("evaluate", data.config, *judged[:2], *fitted, "--out", f"{root}/evaluate")
    version = call("publish", data.config, *judged, "--to", f"{root}/models", "--out", f"{root}/publish")["place"]
    assert version.startswith(f"{root}/models/")
    out, merged, plan = f"{root}/one/rows.parquet", f"{root}/merged/rows.parquet", f"{root}/plan"
    told = call("predict", version, data.table, "-o", out)
    assert (told["path"], told["rejected_path"]) == (out, None)
    names = [part["name"] for part in call("predict-plan", version, data.table, *SHARED, "--out", plan)["partitions"]]
    parts = [f"{root}/part-{name}" for name in names]
    for name, part in zip(names, parts, strict=True):
        call("predict-partition", version, name, "--plan", plan, "--out", part)
    call("predict-merge", "--plan", plan, *(word for part in parts for word in ("--part", part)), "-o", merged)
    return {name: head["metrics"] for name, head in report["heads"].items()}, read_bytes(out), read_bytes(merged)


def test_the_whole_chain_gives_the_metrics_and_predictions_of_a_local_run(
    prepare: Callable[[str], None], polyhead: Callable[..., Result], data: Any, gs_store: Store, temporary: Path
) -> None:
    """The published version is the bundle, at its own place; no file in the bucket names a temporary folder."""
    results = []
    for root in ("local", gs_store.place("run")):
        prepare(root)
        results.append(chain(polyhead, data, root))
    assert results[0] == results[1]
    assert results[0][1] == results[0][2]
    assert left_in(temporary) == []
    for name in gs_store.digests("run"):
        assert str(temporary).encode() not in read_bytes(gs_store.place(f"run/{name}"))


def test_errors_name_the_places_that_were_given(
    prepare: Callable[[str], None], polyhead: Callable[..., Result], data: Any, tiny: Any, store: Store, temporary: Path
) -> None:
    """What is missing, damaged, of another kind or of another configuration; never a copy on this machine."""
    root, out = store.place("run"), store.place("out")
    prepare(root)
    other = tiny(folder=data.folder / "other", rows=30)
    done(polyhead("validate", other.config, "--out", store.place("other")))
    write_object(store.place("run/shard/rejected.parquet"), b"spoilt")
    write_object(store.place("notes/a.txt"), b"mine")
    fitted = ["--preprocessing", f"{root}/preprocess"]
    for command, message in (
        (
            ("preprocess", data.config, "--data", store.place("none")),
            f"{store.place('none')}: has no ValidationReport.json",
        ),
        (("preprocess", data.config, "--data", f"{root}/shard"), f"{root}/shard: has no ValidationReport.json"),
        (
            ("shard", data.config, "--data", store.place("other"), *fitted),
            f"{root}/preprocess was made from validation",
        ),
        (("validate", data.config, "--out", store.place("notes")), f"{store.place('notes')}: already holds something"),
        (("validate", data.config, "--out", store.root), f"{store.root}: is a bucket"),
        (("validate", data.config, "--out", "ftp://host/V"), "ftp://host/V: cannot use ftp:// places"),
        (("preprocess", data.config, "--data", "http://host/V"), "http://host/V: cannot use http:// places"),
        (("predict", root, data.table, "-o", "rows.parquet"), f"{root}: has no ModelBundle.json"),
    ):
        places = command if command[0] == "predict" or "--out" in command else (*command, "--out", out)
        refused = polyhead(*places)
        assert refused.code == 1
        assert message in " ".join(refused.err.split())
        assert str(temporary) not in refused.err
    assert left_in(temporary) == []
    assert store.digests("out") == {}
