"""The steps one at a time by their commands, on the embedded sample: what they print, write, replace and refuse."""

from __future__ import annotations

import hashlib
import json
import shlex
from pathlib import Path

import polars as pl
import pytest
import yaml
from commandline import change, digests

from polyhead import __version__
from polyhead.errors import counted
from polyhead.sample import write_sample

ROWS = 80
VALIDATE = ("validate", "sample/polyhead.yaml", "--out", "V")
PREPROCESS = ("preprocess", "sample/polyhead.yaml", "--data", "V", "--out", "P")
SHARD = ("shard", "sample/polyhead.yaml", "--data", "V", "--preprocessing", "P", "--out", "S")
STEPS = {
    "validate": (VALIDATE, "V/ValidationReport.json"),
    "preprocess": (PREPROCESS, "P/Preprocessing.json"),
    "shard": (SHARD, "S/ShardManifest.json"),
}

RETRIES = (
    "  note: as Kubeflow Pipelines is installed, a step is tried again after an error of the platform, and not when it "
    "ends with an error itself; docs/cluster.md has the two lines that an administrator changes\n"
)


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """The sample's config; its fixed number of bad rows is more than a tenth of so few."""
    return change(write_sample(tmp_path / "sample", rows=ROWS), validate={"max_rejected": 0.5})


def test_three_steps_in_a_row(polyhead, sample, tmp_path):
    for command, contract in STEPS.values():
        result = polyhead(*command)
        assert result.code == 0, result.err
        assert result.out.splitlines()[-1].split() == ["out:", command[-1]]
        assert (tmp_path / contract).is_file()
    report = json.loads((tmp_path / "V" / "ValidationReport.json").read_text(encoding="utf-8"))
    manifest = json.loads((tmp_path / "S" / "ShardManifest.json").read_text(encoding="utf-8"))
    assert report["rows_read"] == ROWS
    assert report["rows_clean"] == ROWS - report["rows_rejected"]
    assert sum(manifest["rows"].values()) == ROWS - manifest["rows_rejected"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["P", "S", "V", "sample"]


def test_progress_goes_to_stderr_with_the_step_and_its_time(polyhead, sample):
    lines = polyhead(*VALIDATE).err.splitlines()
    assert lines[0] == "validate"
    assert any(line.startswith("  check images ") for line in lines)
    assert [line for line in lines if line.startswith("validate took ")]


def test_each_step_ends_with_what_it_made_and_the_command_that_comes_next(polyhead, sample, tmp_path):
    """The commands can be called as they are shown, from the first step to the training."""
    words = [*VALIDATE[:-1], "out of the way/V"]
    for made in ("the clean table and the rejected rows", "the split and the statistics", "the shards"):
        result = polyhead(*words)
        assert result.code == 0, result.err
        *_, wrote, then = result.err.splitlines()
        assert wrote == f"  wrote {made}: {words[-1]}"
        assert (tmp_path / words[-1]).is_dir()
        program, *words = shlex.split(then.removeprefix("  next: "))
        assert program == "polyhead"
    out = "out of the way"
    assert words == [
        *("train", "sample/polyhead.yaml", "--shards", f"{out}/shard", "--preprocessing", f"{out}/preprocess"),
        *("--out", f"{out}/train"),
    ]


def test_rejected_rows_are_told_with_reasons_and_a_place(polyhead, sample, tmp_path):
    """Each reason with its count and its first row, as the report has them; then where all of them stand."""
    lines = polyhead(*VALIDATE).err.splitlines()
    report = json.loads((tmp_path / "V" / "ValidationReport.json").read_text(encoding="utf-8"))
    told = [
        f"  column '{r['column']}': {r['reason']} in {counted(r['rows'], 'row')}, first: {r['example']}"
        for r in report["rejections"]
    ]
    assert len(told) > 2
    start = lines.index(f"  {report['rows_clean']} of {ROWS} rows clean, {report['rows_rejected']} rejected") + 1
    assert lines[start : start + len(told) + 1] == [*told, "  every rejected row is in V/rejected.parquet"]


def test_what_a_step_came_to_is_on_stdout(polyhead, sample, tmp_path):
    """The same facts as in its contract, a line each, none of them broken."""
    printed = {}
    for name, (command, _) in STEPS.items():
        lines = [line.split(":", 1) for line in polyhead(*command).out.splitlines()]
        printed[name] = {key: words.strip() for key, words in lines}
    report = json.loads((tmp_path / "V" / "ValidationReport.json").read_text(encoding="utf-8"))
    counts = [f"{report[f'rows_{what}']} {what}" for what in ("read", "clean", "rejected")]
    reasons = [f"{one['column']}: {one['reason']} {one['rows']}" for one in report["rejections"]]
    assert printed["validate"] == {"rows": ", ".join(counts), "rejected": ", ".join(reasons), "out": "V"}
    manifest = json.loads((tmp_path / "S" / "ShardManifest.json").read_text(encoding="utf-8"))
    rows = ", ".join(f"{count} {split}" for split, count in manifest["rows"].items())
    assert printed["preprocess"]["rows"].endswith("test")
    assert printed["shard"]["rows"] == f"{rows}; {manifest['rows_rejected']} rejected"


def test_json_prints_the_contract_and_nothing_else(polyhead, sample, tmp_path):
    for command, contract in STEPS.values():
        result = polyhead(*command, "--json")
        assert result.code == 0, result.err
        assert result.out == (tmp_path / contract).read_text(encoding="utf-8")


def test_a_second_run_replaces_the_first_with_the_same_bytes(polyhead, sample, tmp_path):
    outs = [tmp_path / name for name in "VPS"]
    for command, _ in STEPS.values():
        assert polyhead(*command).code == 0
    first = [digests(out) for out in outs]
    (tmp_path / "V" / "left over.txt").write_text("from an older version")
    for command, _ in STEPS.values():
        more = ("--workers", "1") if command[0] != "preprocess" else ()
        assert polyhead(*command, *more).code == 0
    assert [digests(out) for out in outs] == first


@pytest.mark.parametrize("step", STEPS)
def test_a_folder_that_holds_something_else_is_refused(polyhead, sample, tmp_path, step):
    for command, _ in STEPS.values():
        assert polyhead(*command).code == 0
    foreign = tmp_path / "thesis"
    foreign.mkdir()
    (foreign / "chapter.txt").write_text("years of work")
    command, _ = STEPS[step]
    result = polyhead(*command[:-1], "thesis")
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        f"{step}\n"
        "error: a problem with an artifact\n"
        f"  {foreign}: already holds something other than the output of polyhead {step} [output-not-empty]\n"
        "    → give another --out, or empty the folder\n"
    )
    assert digests(foreign) == {"chapter.txt": hashlib.sha256(b"years of work").hexdigest()}


def test_the_output_of_another_step_is_something_else(polyhead, sample, tmp_path):
    assert polyhead(*VALIDATE).code == 0
    before = digests(tmp_path / "V")
    result = polyhead(*PREPROCESS[:-1], "V")
    assert (result.code, result.out) == (1, "")
    assert "already holds something other than the output of polyhead preprocess" in result.err
    assert digests(tmp_path / "V") == before


def test_table_replaces_the_configs_table_and_its_picture_folder(polyhead, sample, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "sample" / "mugs.csv").rename(tmp_path / "elsewhere" / "mugs.csv")
    (tmp_path / "sample" / "images").rename(tmp_path / "elsewhere" / "images")
    assert polyhead(*VALIDATE).code == 1
    result = polyhead(*VALIDATE, "--table", "elsewhere/mugs.csv", "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["images_checked"] > 0


def test_rejected_rows_are_kept_when_too_many_are_bad(polyhead, sample, tmp_path):
    change(sample, validate={"on_bad_row": "fail"})
    result = polyhead(*VALIDATE)
    assert (result.code, result.out) == (1, "")
    lines = result.err.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("error:"))
    assert lines[start].endswith("problems with the data")
    assert "80 rows are rejected" in lines[start + 1]
    assert "validate.on_bad_row is fail" in lines[start + 1]
    assert lines[-1] == "    → every rejected row is in V/rejected.parquet"
    rejected = pl.read_parquet(tmp_path / "V" / "rejected.parquet")
    report = json.loads((tmp_path / "V" / "ValidationReport.json").read_text(encoding="utf-8"))
    assert rejected["row"].n_unique() == report["rows_rejected"] > 0
    assert report["passed"] is False


def test_a_table_that_did_not_pass_goes_no_further(polyhead, sample, tmp_path):
    change(sample, validate={"on_bad_row": "fail"})
    polyhead(*VALIDATE)
    result = polyhead(*PREPROCESS)
    assert (result.code, result.out) == (1, "")
    assert "error: a problem with an artifact" in result.err
    assert not (tmp_path / "P").exists()


def test_artifacts_of_another_configuration_are_refused(polyhead, sample, tmp_path):
    assert polyhead(*VALIDATE).code == 0
    change(sample, key=None)
    result = polyhead(*PREPROCESS)
    assert (result.code, result.out) == (1, "")
    assert "V: was made from other features, targets, key, split or numbers (" in result.err


def test_training_settings_and_another_split_do_not_outdate_the_data(polyhead, sample, tmp_path):
    assert polyhead(*VALIDATE).code == 0
    change(sample, train={"epochs": 1, "seed": 5}, gate={}, split={"seed": 8})
    assert polyhead(*PREPROCESS).code == 0


def test_compile_writes_the_file_and_tells_the_image(polyhead, sample, tmp_path):
    result = polyhead("compile", "sample/polyhead.yaml", "-o", "out/pipeline.yaml", "--image", "registry/polyhead:7")
    assert (result.code, result.out) == (0, "")
    assert (
        result.err
        == (
            "  warning: the table 'mugs.csv' is a local path, which kfp cannot read: give --table gs://…\n"
            "  wrote out/pipeline.yaml, to run in the image registry/polyhead:7\n"
        )
        + RETRIES
    )
    spec, _ = yaml.safe_load_all((tmp_path / "out" / "pipeline.yaml").read_text())
    executors = spec["deploymentSpec"]["executors"]
    assert {executor["container"]["image"] for executor in executors.values()} == {"registry/polyhead:7"}


def test_compile_carries_the_configs_text_and_the_given_table(polyhead, sample, tmp_path):
    text = sample.read_text(encoding="utf-8")
    bucket = "gs://bucket/mugs.parquet"
    result = polyhead("compile", "sample/polyhead.yaml", "-o", "pipeline.yml", "--table", bucket, "--json")
    wrote = f"  wrote pipeline.yml, to run in the image polyhead:{__version__}\n"
    assert (result.code, result.err) == (0, wrote + RETRIES)
    assert json.loads(result.out)["pipeline"] == "pipeline.yml"
    spec, _ = yaml.safe_load_all((tmp_path / "pipeline.yml").read_text())
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    assert parameters["config"]["defaultValue"] == text
    assert parameters["table"]["defaultValue"] == bucket


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("validate", "none.yaml", "--out", "V"),
            "validate\nerror: a problem with the configuration\n  none.yaml: no such file [file-not-found]\n"
            "    → write one with: polyhead init TABLE --target COL\n",
        ),
        (
            ("compile", "sample/polyhead.yaml", "-o", "pipeline.json"),
            "error: a problem with the configuration\n  pipeline.json: ends in '.json' [unknown-suffix]\n"
            "    → give a name that ends in .yaml\n",
        ),
        (
            ("compile", "sample/polyhead.yaml", "-o", "sample/mugs.csv/pipeline.yaml"),
            "error: a problem with an artifact\n"
            "  sample/mugs.csv/pipeline.yaml: cannot be written: File exists [not-writable]\n",
        ),
        (
            ("preprocess", "sample/polyhead.yaml", "--data", "sample", "--out", "P"),
            "preprocess\nerror: a problem with an artifact\n"
            "  sample: has no ValidationReport.json [artifact-not-found]\n"
            "    → give the folder that polyhead validate wrote\n",
        ),
        (
            ("validate", "sample/polyhead.yaml", "--table", "none.csv", "--out", "V"),
            "validate\nerror: a problem with the data\n  none.csv: no such table [file-not-found]\n",
        ),
        (
            ("validate", "sample/polyhead.yaml", "--out", "sample/mugs.csv"),
            "validate\nerror: a problem with an artifact\n"
            "  {here}/sample/mugs.csv: is a file, not a folder [not-a-folder]\n"
            "    → give another --out\n",
        ),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else "",
)
def test_what_cannot_be_is_said_with_code_1(polyhead, sample, tmp_path, arguments, message):
    result = polyhead(*arguments)
    assert (result.code, result.out, result.err) == (1, "", message.format(here=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["sample"]


def test_all_mistakes_of_a_configuration_are_told_at_once(polyhead, sample, tmp_path):
    text = sample.read_text(encoding="utf-8")
    text = text.replace("epochs:", "epoch:").replace("kind: category", "kind: categorical", 1)
    (tmp_path / "wrong.yaml").write_text(text, encoding="utf-8")
    lines = text.splitlines()
    clay = next(i for i, line in enumerate(lines, 1) if "categorical" in line)
    epoch = next(i for i, line in enumerate(lines, 1) if "epoch:" in line)
    result = polyhead("compile", "wrong.yaml", "-o", "pipeline.yaml")
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        "error: 2 problems with the configuration\n"
        f"  wrong.yaml:{clay} features.clay.kind: unknown kind 'categorical' [unknown-kind]\n"
        "    → did you mean 'category'?\n"
        f"  wrong.yaml:{epoch} train.epoch: unknown key 'epoch' [unknown-key]\n"
        "    → did you mean 'epochs'?\n"
    )
