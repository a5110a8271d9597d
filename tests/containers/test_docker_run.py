"""`polyhead run --runner docker` against a daemon: the same results, the user's files, nothing left behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import docker
import pandas as pd
import polars as pl
import pytest
from commandline import change, command, digests, small_sample
from PIL import Image

import polyhead as ph
from polyhead.contracts.config import load_config
from polyhead.contracts.evaluation import EvaluationReport
from polyhead.evaluate import step as evaluate_step
from polyhead.preprocess import step as preprocess_step
from polyhead.shard import step as shard_step
from polyhead.train import step as train_step
from polyhead.validate import step as validate_step
from polyhead_pipelines.local.runners.containers import Containers

STEPS = ("validate", "preprocess", "shard", "train", "evaluate")
RUN = "polyhead.run"
PROGRAM = [sys.executable, "-c", "from polyhead.cli import main; main()"]


def left(client: docker.DockerClient) -> list[str]:
    """Containers of runs that are still there."""
    return [container.name for container in client.containers.list(all=True, filters={"label": RUN})]


def steps(config: Path, out: Path) -> EvaluationReport:
    """Every step called in this process."""
    checked = load_config(config)
    places = {name: out / name for name in STEPS}
    given: dict[str, Any] = {"config": checked, "preprocessing": places["preprocess"]}
    validate_step.run(config=checked, table=str(config.parent / checked.table), out=places["validate"])
    preprocess_step.run(config=checked, data=places["validate"], out=places["preprocess"])
    shard_step.run(**given, data=places["validate"], out=places["shard"])
    train_step.run(**given, shards=places["shard"], out=places["train"])
    return evaluate_step.run(**given, bundle=places["train"], shards=places["shard"], out=places["evaluate"])


def test_containers_processes_and_plain_calls_give_the_same(image, client, tmp_path):
    """Every metric to the last bit, on the same processor; up to the shards every byte; with several workers too."""
    config = small_sample(tmp_path)
    docker_options = ("--runner", "docker", "--image", image)
    runs = {"docker": docker_options, "shared": (*docker_options, "--partitions", "3"), "subprocess": ()}
    for name, options in runs.items():
        done = command("run", config, "--out", name, "--json", *options, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        used = {step["step"]: step["peak_memory_bytes"] for step in json.loads(done.stdout)["steps"]}
        assert set(used) >= set(STEPS)
        assert all(peak > 20_000_000 for peak in used.values())
    plain = steps(config, tmp_path / "plain")
    predictions = (tmp_path / "plain" / "evaluate" / "predictions.parquet").read_bytes()
    for name in runs:
        assert EvaluationReport.read(tmp_path / name / "evaluate").heads == plain.heads
        assert (tmp_path / name / "evaluate" / "predictions.parquet").read_bytes() == predictions
        for step in ("validate", "preprocess", "shard"):
            assert digests(tmp_path / name / step) == digests(tmp_path / "plain" / step)
        assert sorted(path.name for path in (tmp_path / name).iterdir()) == sorted(STEPS)
        for path in [tmp_path / name, *(tmp_path / name).rglob("*")]:
            assert (path.stat().st_uid, path.stat().st_gid) == (os.getuid(), os.getgid()), path
    assert left(client) == []


def test_fit_takes_a_frame_to_containers(image, client, tmp_path):
    """The table that is written for them, and the pictures, are mounted; the model is read from here."""
    config = small_sample(tmp_path)
    frame = pd.read_csv(config.parent / "mugs.csv", dtype=str)
    given = {"out": tmp_path / "run", "image_root": config.parent, "runner": Containers(image), "verbose": False}
    model = ph.fit(frame, config, **given)
    assert model.report.verdict in ("passed", "failed")
    assert model.predict(frame.head(20)).index.equals(frame.head(20).index)
    assert left(client) == []


def test_a_steps_error_reads_as_from_a_process(image, client, polyhead, tmp_path):
    """Word for word, with the user's own paths; also where the run's folder lies among the pictures."""
    config = small_sample(tmp_path)
    table = config.parent / "mugs.csv"
    pl.read_csv(table, infer_schema=False).with_columns(weight_g=pl.lit("heavy")).write_csv(table)
    errors = []
    for options in (("--runner", "docker", "--image", image), ()):
        result = polyhead("run", config, "--out", config.parent / "here", *options)
        assert (result.code, result.out) == (1, "")
        assert "all 120 rows are rejected (100.0%)" in result.err
        errors.append(re.sub(r"\(.*\)", "", result.err))  # rates
    assert errors[0] == errors[1]
    assert left(client) == []


def test_a_container_that_runs_out_of_memory_is_named(image, client, polyhead, tmp_path):
    small_sample(tmp_path)
    result = polyhead("run", "sample/polyhead.yaml", "--runner", "docker", "--image", image, "--memory", "150m")
    assert (result.code, result.out) == (1, "")
    _, _, error = result.err.partition("error: a problem with the pipeline\n")
    assert re.fullmatch(
        r"  step '\w+': ran out of memory within the 150m of --memory and was killed \[out-of-memory\]\n"
        "    → give a larger --memory, or make train.batch_size smaller\n",
        error,
    ), result.err
    assert left(client) == []


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_run_that_is_stopped_leaves_no_container(image, client, tmp_path, stop):
    """It was the user's, with a read-only root; then it is gone, and the artifacts of finished steps are kept."""
    config = change(small_sample(tmp_path), train={"epochs": 500, "patience": 500})
    arguments = ["run", str(config), "--runner", "docker", "--image", image, "--out", str(tmp_path / "here")]
    with subprocess.Popen([*PROGRAM, *arguments], cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "loading TensorFlow" in line:
                break
        (container,) = client.containers.list(filters={"label": RUN})
        assert container.attrs["Config"]["User"] == f"{os.getuid()}:{os.getgid()}"
        refused = "touch /x /opt/polyhead/x 2>&1 | wc -l"
        allowed = 'touch /tmp/x $TMPDIR/x; grep -c "tmpfs $TMPDIR " /proc/mounts'
        _, printed = container.exec_run(["sh", "-c", f"id -u; {refused}; {allowed}"])
        assert printed.decode().split() == [str(os.getuid()), "2", "0"]
        started = time.monotonic()
        process.send_signal(stop)
        process.communicate(timeout=60)
    assert process.returncode == 128 + stop
    assert time.monotonic() - started < 30
    assert left(client) == []
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["preprocess", "shard", "validate"]


def test_a_run_that_is_stopped_in_a_loop_starts_no_further_partition(image, client, tiny, tmp_path):
    """KFP would give each of them its turn first; none may come to its end."""
    data = tiny(rows=60, validate={"images": "decode"})
    large = Image.new("RGB", (8000, 8000), "red")
    first, *others = sorted((data.folder / "images").iterdir())
    large.save(first)
    for path in others:
        shutil.copyfile(first, path)
    arguments = ["run", str(data.config), "--runner", "docker", "--image", image, "--partitions", "6"]
    told = []
    with subprocess.Popen([*PROGRAM, *arguments], cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            told.append(line)
            if "validate partition" in line:
                break
        process.send_signal(signal.SIGINT)
        told.append(process.communicate(timeout=120)[1])
    assert process.returncode == 130
    assert [line for line in "".join(told).splitlines() if "partition" in line and "at most" in line] == []
    assert left(client) == []
