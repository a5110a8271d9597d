"""`publish`: only what passed, each version whole, one pointer that every publisher moves in turn, and the way back."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from commandline import digests
from refusals import refusal

from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.evaluation import EvaluationReport
from polyhead.contracts.publication import Publication
from polyhead.errors import ArtifactError, ConfigError, ConflictError, StorageError
from polyhead.publish.step import roll_back, run
from polyhead.storage import objects, transfer
from polyhead.storage.artifact import close_artifact

FILES = ["ModelBundle.json", "core.keras", "serving/saved_model.pb", "serving/variables/variables.index"]


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A destination that is not there yet."""
    return tmp_path / "models" / "houses"


def publish(model: Any, shelf: Path, **changed: Any) -> Publication:
    """Publish a model of the fixture `trained`; its own artifact is beside it."""
    given = {"config": model.config, "bundle": model.bundle, "evaluation": model.evaluation, "destination": str(shelf)}
    return run(**{**given, "out": model.bundle.parent / "P", **changed})


def latest(shelf: Path) -> dict[str, Any]:
    """What `latest.json` says."""
    found: dict[str, Any] = json.loads((shelf / "latest.json").read_text(encoding="utf-8"))
    return found


def released(shelf: Path) -> list[tuple[int, str, bool]]:
    """The pointer's history."""
    return [(release["sequence"], release["version"], release["rollback"]) for release in latest(shelf)["history"]]


def test_a_version_is_the_bundle_with_its_evaluation(trained, shelf):
    """Byte for byte, and nothing of the test rows."""
    model = trained()
    publish(model, shelf)
    expected = digests(model.bundle)
    expected["evaluation/EvaluationReport.json"] = digests(model.evaluation)["EvaluationReport.json"]
    assert digests(shelf / model.version) == expected
    assert sorted(expected) == sorted([*FILES, "evaluation/EvaluationReport.json"])
    assert sorted(path.name for path in shelf.iterdir()) == sorted([model.version, "latest.json"])


def test_the_pointer_names_the_version_with_its_folder_verdict_and_metrics(trained, shelf):
    """A program needs no more than `path` to find the model in force."""
    model = trained()
    publish(model, shelf)
    pointer = latest(shelf)
    assert pointer["path"] == pointer["version"] == model.version
    assert pointer["bundle"] == ModelBundle.read(shelf / pointer["path"]).fingerprint()
    assert (pointer["sequence"], pointer["verdict"]) == (1, "passed")
    assert pointer["metrics"] == {"price.r2": 0.75, "price.mae": 10.0}
    assert pointer["history"] == [{"sequence": 1, "version": model.version, "rollback": False}]


def test_the_artifact_tells_what_was_done(trained, shelf):
    """It stands at `out` and names what it was made from."""
    model = trained()
    publication = publish(model, shelf)
    report = EvaluationReport.read(model.evaluation)
    assert Publication.read(model.bundle.parent / "P") == publication
    assert publication == Publication(
        made_from={**report.made_from, "evaluation": report.fingerprint()},
        destination=str(shelf),
        version=model.version,
        place=f"{shelf}/{model.version}",
        outcome="published",
        latest=model.version,
        sequence=1,
    )


def test_publishing_the_same_again_touches_nothing(trained, shelf, capsys):
    """It says so, and no file at the destination is written again."""
    model = trained()
    publish(model, shelf)
    before = {path: path.stat().st_mtime_ns for path in shelf.rglob("*")}
    publication = publish(model, shelf)
    assert (publication.outcome, publication.sequence) == ("unchanged", 1)
    assert {path: path.stat().st_mtime_ns for path in shelf.rglob("*")} == before
    assert f"nothing to do: version {model.version} is in force already" in capsys.readouterr().err


def test_the_next_bundle_comes_in_front_and_the_first_stays(trained, shelf):
    """Versions are never written again."""
    first, second = trained("first"), trained("second")
    publish(first, shelf)
    before = digests(shelf / first.version)
    assert publish(second, shelf).sequence == 2
    assert digests(shelf / first.version) == before
    assert latest(shelf)["version"] == second.version
    assert released(shelf) == [(1, first.version, False), (2, second.version, False)]


def test_a_repeated_publication_does_not_undo_what_followed(trained, shelf, capsys):
    """A step that is retried late leaves the pointer where another publisher has moved it since."""
    first, second = trained("first"), trained("second")
    publish(first, shelf)
    publish(second, shelf)
    pointer = (shelf / "latest.json").read_bytes()
    publication = publish(first, shelf)
    assert (publication.outcome, publication.latest) == ("superseded", second.version)
    assert (shelf / "latest.json").read_bytes() == pointer
    assert f"polyhead rollback CONFIG {first.version}" in capsys.readouterr().err


def test_rolling_back_puts_an_earlier_version_in_front_for_good(trained, shelf):
    """Its own metrics are the pointer's again, and publishing the bad bundle once more changes nothing."""
    good, bad = trained("good", r2=0.8), trained("bad", r2=0.7)
    publish(good, shelf)
    publish(bad, shelf)
    publication = roll_back(config=good.config, version=good.version, destination=str(shelf))
    assert (publication.outcome, publication.sequence) == ("rolled back", 3)
    assert latest(shelf)["version"] == good.version
    assert latest(shelf)["metrics"]["price.r2"] == 0.8
    assert released(shelf)[2:] == [(3, good.version, True)]
    assert publish(bad, shelf).outcome == "superseded"
    assert roll_back(config=good.config, version=good.version, destination=str(shelf)).outcome == "unchanged"
    assert len(released(shelf)) == 3


def test_rolling_back_to_what_is_not_there_names_what_is(trained, shelf):
    """A mistyped version is met with the nearest; a folder outside the destination is no version."""
    model = trained()
    with refusal(ArtifactError, "unknown-version", shows=["'abc'"]):
        roll_back(config=model.config, version="abc", destination=str(shelf))
    publish(model, shelf)
    pointer = (shelf / "latest.json").read_bytes()
    with refusal(ArtifactError, "unknown-version", shows=[model.version]):
        roll_back(config=model.config, version=model.version[:-1], destination=str(shelf))
    with refusal(ArtifactError, "unknown-version"):
        roll_back(config=model.config, version=f"../houses/{model.version}", destination=str(shelf))
    assert (shelf / "latest.json").read_bytes() == pointer


def test_what_the_gate_refused_is_refused_with_every_rule_that_failed(trained, shelf):
    """All at once, the undefined metric too; nothing is written anywhere."""
    model = trained(r2=0.41, mae=None)
    shown = ["price.r2", "0.41", ">= 0.6", "price.mae", "beats baseline"]
    with refusal(ArtifactError, "gate-failed", "gate-failed", where=[model.evaluation] * 2, shows=shown):
        publish(model, shelf)
    with refusal(ArtifactError, "gate-failed", shows=["20.0"]):
        publish(trained("worse", mae=70.0), shelf)
    assert not shelf.parent.exists()
    assert not (model.bundle.parent / "P").exists()


def test_a_model_without_a_gate_needs_the_configs_word(trained, shelf):
    """`publish.ungated: true` is that word, and it opens no gate that is there."""
    with refusal(ArtifactError, "no-gate", shows=["publish.ungated"]):
        publish(trained("plain", gate={}), shelf)
    assert publish(trained("free", gate={}, publish={"ungated": True}), shelf).outcome == "published"
    assert latest(shelf)["verdict"] == "ungated"
    with refusal(ArtifactError, "gate-failed", shows=["price.r2", "0.1"]):
        publish(trained("bad", r2=0.1, publish={"ungated": True}), shelf)


def change_core(model: Any) -> None:
    (model.bundle / "core.keras").write_bytes(b"other weights")


def drop_graph(model: Any) -> None:
    (model.bundle / "serving" / "saved_model.pb").unlink()


def drop_contract(model: Any) -> None:
    (model.bundle / "ModelBundle.json").unlink()


def drop_report(model: Any) -> None:
    (model.evaluation / "EvaluationReport.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "code", "shown"),
    [
        (change_core, "artifact-changed", ["core.keras", "13 bytes", "16", "polyhead train"]),
        (drop_graph, "artifact-file-missing", ["saved_model.pb", "polyhead train"]),
        (drop_contract, "artifact-not-found", ["ModelBundle.json"]),
        (drop_report, "artifact-not-found", ["EvaluationReport.json"]),
    ],
)
def test_a_damaged_bundle_is_refused(trained, shelf, spoil: Callable[[Any], None], code, shown):
    """Before anything is written."""
    model = trained()
    spoil(model)
    with refusal(ArtifactError, code, shows=shown):
        publish(model, shelf)
    assert not shelf.parent.exists()


def test_the_evaluation_of_another_bundle_is_refused_with_both_fingerprints(trained, shelf):
    """A passed evaluation passes the bundle that it measured, no other."""
    one, other = trained("one"), trained("other")
    with refusal(ArtifactError, "origin-mismatch", shows=[other.version[:12], one.version[:12]]):
        publish(one, shelf, evaluation=other.evaluation)
    assert not shelf.parent.exists()


def test_an_evaluation_by_other_rules_is_refused(trained, shelf):
    """A gate that was tightened since counts; one whose rules stand in another order is the same."""
    model, strict = trained(), trained("strict", gate={"price": {"r2": ">= 0.9"}}).config
    with refusal(ArtifactError, "gate-mismatch", shows=["polyhead evaluate"]):
        publish(model, shelf, config=strict)
    turned = trained("turned", gate={"price": {"mae": "beats baseline", "r2": ">= 0.6"}}).config
    assert publish(model, shelf, config=turned).outcome == "published"


def test_a_bundle_of_another_configuration_is_refused(trained, shelf):
    """Other features make another model."""
    model, other = trained(), trained("other", features={"rooms": {"kind": "numeric"}}).config
    with refusal(ArtifactError, "config-mismatch"):
        publish(model, shelf, config=other)


def test_without_a_destination_nothing_can_be_published(trained, shelf):
    """The config's is taken where none is given."""
    model = trained(publish={"to": str(shelf)})
    assert publish(model, shelf, destination="").place == f"{shelf}/{model.version}"
    with refusal(ConfigError, "no-destination", shows=["publish.to"]):
        publish(trained("other"), shelf, destination="")


def test_a_copy_that_breaks_leaves_the_pointer_alone_and_is_taken_up(trained, shelf, monkeypatch):
    """What is in force stays in force until the next version is whole."""
    first, second = trained("first"), trained("second")
    publish(first, shelf)
    before = digests(shelf)

    def break_down(*_: object, **__: object) -> str:
        raise StorageError("no-answer", "does not answer", where=str(shelf))

    with monkeypatch.context() as patch:
        patch.setattr(transfer, "upload_folder", break_down)
        with pytest.raises(StorageError):
            publish(second, shelf)
    assert digests(shelf) == before
    assert not (second.bundle.parent / "P").exists()
    assert publish(second, shelf).outcome == "published"


def test_a_version_that_another_has_begun_to_copy_is_not_taken_for_whole(trained, shelf):
    """A claim in its contract's place is copied over."""
    model = trained()
    (shelf / model.version).mkdir(parents=True)
    (shelf / model.version / "ModelBundle.json").write_bytes(b'{"being_written_by": "7"}\n')
    assert publish(model, shelf).outcome == "published"
    assert sorted(digests(shelf / model.version)) == sorted([*FILES, "evaluation/EvaluationReport.json"])


def test_the_slower_of_two_publishers_follows_the_faster(trained, shelf, monkeypatch):
    """Its first move fails on what it read before, its second comes after the other's."""
    slow, fast = trained("slow"), trained("fast")
    write = objects.write_object
    begun: list[Any] = []

    def overtaken(place: str, content: bytes | Path, **conditions: Any) -> str:
        if place.endswith("latest.json") and not begun:
            begun.append(place)
            publish(fast, shelf)
        return write(place, content, **conditions)

    monkeypatch.setattr(objects, "write_object", overtaken)
    assert (publish(slow, shelf).outcome, latest(shelf)["version"]) == ("published", slow.version)
    assert released(shelf) == [(1, fast.version, False), (2, slow.version, False)]


def test_a_move_whose_answer_is_lost_counts_once(trained, shelf, monkeypatch):
    """The store has taken it, the publisher hears of a conflict."""
    model, write = trained(), objects.write_object

    def deaf(place: str, content: bytes | Path, **conditions: Any) -> str:
        write(place, content, **conditions)
        raise ConflictError("changed-meanwhile", "was written by another process meanwhile", where=place)

    monkeypatch.setattr(objects, "write_object", deaf)
    assert publish(model, shelf).outcome == "published"
    assert released(shelf) == [(1, model.version, False)]


def test_a_pointer_that_never_stands_still_is_given_up(trained, shelf, monkeypatch):
    """With an end and an error, not for ever."""
    calls = []

    def never(place: str, *_: object, **__: object) -> str:
        calls.append(place)
        raise ConflictError("changed-meanwhile", "was written by another process meanwhile", where=place)

    monkeypatch.setattr(objects, "write_object", never)
    with refusal(ArtifactError, "contested", shows=["latest.json", "20"]):
        publish(trained(), shelf)
    assert len(calls) == 20


def test_many_publishers_at_once_all_come_into_force_in_turn(trained, shelf):
    """Every version is whole, and the history has each once, without a gap."""
    models = [trained(f"model{i}") for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        published = list(pool.map(lambda model: publish(model, shelf), models))
    assert {publication.outcome for publication in published} == {"published"}
    assert [sequence for sequence, _, _ in released(shelf)] == list(range(1, 9))
    assert sorted(version for _, version, _ in released(shelf)) == sorted(model.version for model in models)
    assert sorted(publication.sequence for publication in published) == list(range(1, 9))
    for model in models:
        assert digests(model.bundle).items() <= digests(shelf / model.version).items()


@pytest.mark.parametrize(
    ("content", "code", "shown"),
    [
        ("nonsense", "artifact-damaged", []),
        ('{"newest": 3}', "format-version", ["None"]),
        ('{"format_version": 2}', "format-version", ["2", "1"]),
        ('{"format_version": 1, "version": "x"}', "artifact-damaged", ["sequence"]),
    ],
)
def test_a_pointer_of_another_program_is_left_alone(trained, shelf, content, code, shown):
    """It is named, and not a byte of it changes."""
    shelf.mkdir(parents=True)
    (shelf / "latest.json").write_text(content, encoding="utf-8")
    with refusal(ArtifactError, code, where=f"{shelf}/latest.json", shows=shown):
        publish(trained(), shelf)
    assert (shelf / "latest.json").read_text(encoding="utf-8") == content


def test_another_bundle_under_the_same_version_is_refused(trained, shelf):
    """Should two fingerprints ever begin alike, neither is served as the other."""
    model, other = trained("model"), trained("other")
    publish(model, shelf)
    (shelf / model.version / "ModelBundle.json").write_bytes((other.bundle / "ModelBundle.json").read_bytes())
    with refusal(ArtifactError, "version-collision", shows=[other.version]):
        publish(model, shelf)


def test_a_destination_that_cannot_be_written_is_told(trained, tmp_path):
    """A file stands where the folder should be."""
    (tmp_path / "file").write_text("")
    with refusal(ArtifactError, "not-writable"):
        publish(trained(), tmp_path / "file")


@pytest.mark.parametrize("name", [*FILES, "evaluation/EvaluationReport.json"])
@pytest.mark.parametrize("damage", ["changed", "lost"])
def test_a_damaged_version_is_repaired_by_publishing_it_again(trained, shelf, capsys, name, damage):
    """Every file of it; the pointer stays, and so does its history."""
    model = trained()
    publish(model, shelf)
    whole, path = digests(shelf / model.version), shelf / model.version / name
    content = path.read_bytes()
    path.unlink()
    if damage == "changed":
        path.write_bytes(content[:-3] + b"xxx")
    assert publish(model, shelf).outcome == "unchanged"
    assert digests(shelf / model.version) == whole
    told = capsys.readouterr().err
    if path.name != "ModelBundle.json" or damage == "changed":  # without a contract it is no version yet
        assert f"version {model.version} at {shelf} was damaged and has been repaired" in told
    assert released(shelf) == [(1, model.version, False)]


@pytest.mark.parametrize("name", FILES[1:])
def test_a_bundle_with_any_damaged_file_is_refused(trained, shelf, name):
    """Not only the weights: the graph, its variables, all that the contract names."""
    model = trained()
    content = (model.bundle / name).read_bytes()
    (model.bundle / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with refusal(ArtifactError, "artifact-changed", shows=[name]):
        publish(model, shelf)
    assert not shelf.parent.exists()


def test_what_lies_beside_a_bundle_is_not_published(trained, shelf):
    """A user's notes and a broken attempt's leftovers."""
    model = trained()
    for name in ("notes.txt", ".fingerprint", "serving/.cache"):
        (model.bundle / name).write_text("mine")
    publish(model, shelf)
    assert sorted(digests(shelf / model.version)) == sorted([*FILES, "evaluation/EvaluationReport.json"])


def test_a_graph_that_only_numbers_otherwise_is_the_same_version(trained, shelf):
    """TensorFlow names functions by what a process did before; the version that is there stays as it is."""
    model = trained()
    publish(model, shelf)
    before = digests(shelf / model.version)
    (model.bundle / "serving" / "saved_model.pb").write_bytes(b"other")
    bundle = close_artifact(model.bundle, ModelBundle.read(model.bundle))
    assert bundle.fingerprint()[:16] == model.version
    assert publish(model, shelf).outcome == "unchanged"
    assert digests(shelf / model.version) == before


def test_a_rule_that_any_waives_stops_nothing(trained, shelf):
    """While one of its alternatives holds; the same rules joined otherwise are other rules."""
    model = trained(gate={"price": {"any": [{"r2": ">= 0.9"}, {"mae": "beats baseline"}]}})
    assert publish(model, shelf).outcome == "published"
    other = model.config.model_copy(update={"gate": {"price": {"r2": ">= 0.9", "mae": "beats baseline"}}})
    with refusal(ArtifactError, "gate-mismatch"):
        publish(model, shelf, config=other)
    failed = trained("failed", gate={"price": {"any": [{"r2": ">= 0.9"}, {"mae": "<= 1"}]}})
    with refusal(ArtifactError, "gate-failed", "gate-failed"):
        publish(failed, shelf)
