"""Publishing from a bucket and to a bucket, by several publishers at once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from buckets import Store, left_in
from commandline import digests
from objectstores import Faults

from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.publication import Publication
from polyhead.errors import ArtifactError
from polyhead.publish.step import roll_back, run
from polyhead.storage.objects import read_bytes, write_object
from polyhead.storage.opened import opened_artifact
from polyhead.storage.transfer import upload_folder


def uploaded(model: Any, store: Store) -> dict[str, Any]:
    """A model's config, and its artifacts in a bucket."""
    root = store.place(model.bundle.parent.name)
    upload_folder(model.bundle, f"{root}/T", last="ModelBundle.json")
    upload_folder(model.evaluation, f"{root}/E", last="EvaluationReport.json")
    return {"config": model.config, "bundle": f"{root}/T", "evaluation": f"{root}/E", "out": f"{root}/P"}


def expected(model: Any) -> dict[str, str]:
    """The files of a model's version."""
    report = digests(model.evaluation)["EvaluationReport.json"]
    return {**digests(model.bundle), "evaluation/EvaluationReport.json": report}


def test_two_publishers_at_once_and_the_way_back(trained: Any, store: Store, temporary: Path) -> None:
    """Each version is whole and the history has no gap, although requests fail; a rollback is one release more."""
    models, shelf = [trained("one"), trained("two")], store.place("models")
    places = [uploaded(model, store) for model in models]
    store.gate.faults = Faults(share=0.05, seed=2)
    with ThreadPoolExecutor(2) as pool:
        done: list[Publication] = list(pool.map(lambda given: run(**given, destination=shelf), places))
    assert ([one.outcome for one in done], sorted(one.sequence for one in done)) == (["published"] * 2, [1, 2])
    first = min(done, key=lambda one: one.sequence)
    back = roll_back(config=models[0].config, version=first.version, destination=shelf)
    store.gate.faults = Faults()
    assert (back.outcome, back.sequence, back.place) == ("rolled back", 3, f"{shelf}/{first.version}")
    history = json.loads(read_bytes(f"{shelf}/latest.json"))["history"]
    assert [release["sequence"] for release in history] == [1, 2, 3]
    assert [release["version"] for release in history][::2] == [first.version] * 2
    assert {release["version"] for release in history} == {model.version for model in models}
    for model, given in zip(models, places, strict=True):
        assert store.digests(f"models/{model.version}") == expected(model)
        with opened_artifact(given["out"], Publication) as folder:
            assert Publication.read(folder).destination == shelf
    assert left_in(temporary) == []


def test_a_published_version_is_a_bundle(trained: Any, store: Store, tmp_path: Path, temporary: Path) -> None:
    """It is published on, from a disk and from a bucket: the same files, and the first one stays as it was."""
    model = trained()
    shelves = [str(tmp_path / "first"), store.place("second"), store.place("third"), str(tmp_path / "fourth")]
    given = {"config": model.config, "bundle": model.bundle, "evaluation": model.evaluation}
    for shelf in shelves:
        done = run(**given, destination=shelf, out=tmp_path / "P")
        assert (done.outcome, done.version) == ("published", model.version)
        given = {"config": model.config, "bundle": done.place, "evaluation": f"{done.place}/evaluation"}
        with opened_artifact(done.place, ModelBundle) as folder:
            assert ModelBundle.read(folder) == ModelBundle.read(model.bundle)
    for shelf in ("first", "fourth"):
        assert digests(tmp_path / shelf / model.version) == expected(model)
    for shelf in ("second", "third"):
        assert store.digests(f"{shelf}/{model.version}") == expected(model)
    assert left_in(temporary) == []


def test_what_was_refused_is_named_by_its_place(trained: Any, store: Store, temporary: Path) -> None:
    """The evaluation that did not pass, and a bundle that was changed; nothing is published."""
    failed, spoilt = uploaded(trained("failed", r2=0.1), store), uploaded(trained("spoilt"), store)
    write_object(store.place("spoilt/T/core.keras"), b"changed")
    for given, where in ((failed, failed["evaluation"]), (spoilt, f"{spoilt['bundle']}/core.keras")):
        with pytest.raises(ArtifactError) as caught:
            run(**given, destination=store.place("models"))
        assert [problem.where for problem in caught.value.problems] == [where]
        assert str(temporary) not in str(caught.value)
    assert store.digests("models") == {}
