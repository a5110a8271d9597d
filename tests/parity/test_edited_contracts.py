"""No edited contract and no damaged file of a run is believed, and none ends in a traceback."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from polyhead.contracts.artifact import Contract
from polyhead.contracts.config import load_config
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.contracts.shards import TIMINGS, ShardManifest, ShardPart, ShardPlan
from polyhead.contracts.validation import PicturePart, PicturePlan, ValidationReport
from polyhead.errors import ArtifactError
from polyhead.preprocess import step as preprocess
from polyhead.shard import step as shard
from polyhead.storage.artifact import check_files
from polyhead.validate import step as validate

CONTRACTS: dict[str, type[Contract]] = {
    "V": ValidationReport,
    "W": PicturePlan,
    "L": PicturePart,
    "P": Preprocessing,
    "S": ShardManifest,
    "plan": ShardPlan,
    "part-0": ShardPart,
    "part-1": ShardPart,
}


@pytest.fixture
def made(tiny: Any) -> Any:
    """Every artifact that needs no TensorFlow, of one tiny table."""
    data = tiny()
    place, config = data.folder, load_config(data.config)
    validate.run(config=config, table=str(data.table), out=place / "V")
    looks = validate.plan(config=config, table=str(data.table), partitions=1, out=place / "W")
    validate.run_partition(config=config, plan=place / "W", partition=looks.names[0], out=place / "L")
    preprocess.run(config=config, data=place / "V", out=place / "P")
    given = {"config": config, "data": place / "V", "preprocessing": place / "P"}
    shard.run(**given, out=place / "S")
    plan = shard.plan(**given, partitions=2, out=place / "plan")
    for number, name in enumerate(plan.names):
        shard.run_partition(**given, plan=place / "plan", partition=name, out=place / f"part-{number}")
    return place, given


def edits(value: Any) -> Iterator[Any]:
    """The same value with one leaf changed or one entry left out, for every leaf and entry."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield {name: other for name, other in value.items() if name != key}
            yield from ({**value, key: edited} for edited in edits(inner))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield value[:at] + value[at + 1 :]
            yield from ([*value[:at], edited, *value[at + 1 :]] for edited in edits(inner))
    else:
        others: tuple[Any, ...] = (None, -1, "0", [], not value if isinstance(value, bool) else True)
        for other in others:
            if other != value or type(other) is not type(value):
                yield other


def test_no_edited_field_is_believed(made: Any) -> None:
    """Whatever is changed, in whichever contract: an error that names the file and the command to run again."""
    place, _ = made
    for name, contract in CONTRACTS.items():
        file = place / name / f"{contract.__name__}.json"
        count = 0
        for edited in edits(json.loads(file.read_bytes())):
            with pytest.raises(ArtifactError) as caught:
                contract.parse(json.dumps(edited).encode(), str(file))
            [problem] = caught.value.problems
            assert (problem.where, problem.hint) == (str(file), f"run {contract.made_by()} again")
            count += 1
        assert count > 50


def test_every_file_is_in_its_contract_and_is_checked(made: Any) -> None:
    """A changed, a shortened and a lost file are told; what a user puts beside them is not looked at."""
    place, _ = made
    for name, contract in CONTRACTS.items():
        found = contract.read(place / name)
        files = {path.relative_to(place / name).as_posix() for path in (place / name).rglob("*") if path.is_file()}
        assert files - {f"{contract.__name__}.json", TIMINGS} == found.files.keys()
        (place / name / "notes.txt").write_text("mine")
        check_files(place / name, found)
        for file in found.files:
            path = place / name / file
            content = path.read_bytes()
            if not content:
                continue
            for damaged in (content[:-1] + bytes([content[-1] ^ 1]), content[:-1], None):
                path.unlink()
                if damaged is not None:
                    path.write_bytes(damaged)
                with pytest.raises(ArtifactError) as caught:
                    check_files(place / name, found)
                [problem] = caught.value.problems
                assert (problem.where, problem.hint) == (str(path), f"run {contract.made_by()} again")
                path.write_bytes(content)


def test_a_renamed_part_is_no_other_part(made: Any) -> None:
    """Neither by its partition's name, nor by all that it says of itself, sealed anew."""
    place, given = made
    plan = ShardPlan.read(place / "plan")
    shutil.copytree(place / "part-0", place / "copy")
    part = ShardPart.read(place / "copy")
    renamed = part.partition.model_copy(update={"name": plan.names[1]})

    def merge() -> None:
        shard.merge(**given, plan=place / "plan", parts=[place / "part-0", place / "copy"], out=place / "merged")

    for partition in (renamed, plan.partitions[1]):
        part.model_copy(update={"partition": partition}).write(place / "copy")
        with pytest.raises(ArtifactError):
            merge()
        assert not (place / "merged").exists()


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"seconds": {}}'])
def test_damaged_timings_cost_a_note(made: Any, content: bytes | None, capsys: pytest.CaptureFixture[str]) -> None:
    """They decide nothing, so the shards are joined without them."""
    place, given = made
    timings = place / "part-1" / TIMINGS
    timings.unlink()
    if content is not None:
        timings.write_bytes(content)
    parts = [place / "part-0", place / "part-1"]
    merged = shard.merge(**given, plan=place / "plan", parts=parts, out=place / "merged")
    assert merged == ShardManifest.read(place / "S")
    assert f"note: {timings} is missing or damaged, so its times are left out" in capsys.readouterr().err
