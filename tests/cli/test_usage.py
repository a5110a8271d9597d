"""Help, and what a wrong call says: exit code 2, the word that is wrong, nothing on stdout."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
from commandline import shortest_call, takes_config

import polyhead as package
from polyhead_pipelines.platforms.table import PLATFORMS, REMOTE

# Every command with the words that others script against.
COMMANDS = {
    "demo": ["--out", "-o", "--partitions", "--runner", "--image", "--json"],
    "init": ["TABLE", "--target", "--out", "-o", "--force", "--schema", "--no-schema", "--json"],
    "schema": [],
    "validate": ["CONFIG", "--table", "--out", "-o", "--workers", "--json"],
    "preprocess": ["CONFIG", "--data", "--out", "-o", "--json"],
    "shard": ["CONFIG", "--data", "--preprocessing", "--workers", "--out", "-o", "--reuse", "--json"],
    "encode": ["CONFIG", "--shards", "--preprocessing", "--out", "-o", "--reuse", "--json"],
    "train": ["CONFIG", "--shards", "--preprocessing", "--out", "-o", "--seed", "--json"],
    "evaluate": ["CONFIG", "--bundle", "--shards", "--preprocessing", "--out", "-o", "--against", "--json"],
    "publish": ["CONFIG", "--bundle", "--evaluation", "--out", "-o", "--to", "--json"],
    "rollback": ["CONFIG", "VERSION", "--to", "--json"],
    "cross-validate": ["CONFIG", "--table", "--out", "-o", "--seed", "--workers", "--json"],
    "validate-plan": ["CONFIG", "--out", "-o", "--partitions", "--table", "--json"],
    "validate-partition": ["CONFIG", "PARTITION", "--plan", "--out", "-o", "--workers", "--json"],
    "validate-merge": ["CONFIG", "--plan", "--part", "--out", "-o", "--table", "--workers", "--json"],
    "shard-plan": ["CONFIG", "--data", "--preprocessing", "--out", "-o", "--partitions", "--json"],
    "shard-partition": [
        *(
            "CONFIG",
            "PARTITION",
            "--data",
            "--preprocessing",
            "--plan",
            "--out",
            "-o",
            "--reuse",
            "--workers",
            "--json",
        ),
    ],
    "shard-merge": ["CONFIG", "--data", "--preprocessing", "--plan", "--part", "--out", "-o", "--json"],
    "predict-plan": ["BUNDLE", "TABLE", "--out", "-o", "--partitions", "--json"],
    "predict-partition": ["BUNDLE", "PARTITION", "--plan", "--out", "-o", "--workers", "--json"],
    "predict-merge": ["--plan", "--part", "--out", "-o", "--json"],
    "run": [
        *("CONFIG", "--table", "--out", "-o", "--seed", "--partitions", "--json"),
        *("--runner", "--image", "--gpus", "--memory", "--network", "--env"),
    ],
    "compile": [
        *("CONFIG", "--out", "-o", "--table", "--image", "--platform", "--pipeline-root", "--partitions", "--dry-run"),
        *("--bundle", "--json"),
    ],
    "submit": [
        *("--platform", "--host", "--namespace", "--project", "--region", "--token-file", "--cookie-file", "--ca-cert"),
        *("--table", "--image", "--partitions", "--bundle", "--param", "--experiment", "--run-name", "--run-id"),
        "--pipeline-root",
        *("--service-account", "--no-cache", "--wait", "--timeout", "--schedule", "--upload-only", "--json"),
    ],
    "predict": ["BUNDLE", "TABLE", "--out", "-o", "--workers", "--json"],
    "show": ["--json"],
    "card": ["BUNDLE", "--out", "-o", "--json"],
    "compare": ["--json"],
    "gate": ["CONFIG", "--json"],
    "ablate": [
        *("CONFIG", "--bundle", "--shards", "--preprocessing", "--without", "--out", "-o", "--json"),
    ],
    "export": ["BUNDLE", "--to", "--out", "-o", "--json"],
    "drift": ["BUNDLE", "TABLE", "--train", "--out", "--json", "--no-embeddings"],
    "serve": [
        *("BUNDLE", "--host", "--port", "--name", "--max-bytes", "--max-rows", "--max-pixels", "--max-concurrent"),
        *("--max-held", "--max-seconds", "--json"),
    ],
    "deploy": [
        *("BUNDLE", "--to", "--image", "--out", "-o", "--name", "--claim", "--service-account", "--cpu", "--memory"),
        "--json",
    ],
}

USAGE_ERRORS = [
    (["run", "polyhead.yaml", "--out", "gs://bucket/out"], "'-o' / '--out': must be a local folder"),
    (["nonsense"], "No such command 'nonsense'"),
    (["--nonsense"], "No such option: --nonsense"),
    (["run"], "Missing argument 'CONFIG'"),
    (["run", "a.yaml", "b.yaml"], "unexpected extra argument"),
    (["run", "a.yaml", "--epochs", "3"], "No such option: --epochs"),
    (["run", "a.yaml", "--runner", "cloud"], "'cloud' is not one of 'subprocess', 'docker'"),
    (["demo", "--image", "mine:1"], "Invalid value for '--image': is for --runner docker"),
    (["run", "a.yaml", "--seed", "-1"], "Invalid value for '--seed'"),
    (["run", "a.yaml", "--seed", "one"], "Invalid value for '--seed'"),
    (["init"], "Missing argument 'TABLE'"),
    (["validate", "a.yaml"], "Missing option '-o' / '--out'"),
    (["validate", "a.yaml", "--out"], "requires an argument"),
    (["validate", "a.yaml", "--out", "V", "--workers", "0"], "Invalid value for '--workers'"),
    (["preprocess", "a.yaml", "--out", "P"], "Missing option '--data'"),
    (["shard", "a.yaml", "--data", "V", "--out", "S"], "Missing option '--preprocessing'"),
    (["train", "a.yaml", "--preprocessing", "P", "--out", "T"], "Missing option '--shards'"),
    (["evaluate", "a.yaml", "--shards", "S", "--preprocessing", "P", "--out", "E"], "Missing option '--bundle'"),
    (["publish", "a.yaml", "--bundle", "T", "--out", "P"], "Missing option '--evaluation'"),
    (["rollback", "a.yaml"], "Missing argument 'VERSION'"),
    (["compile", "a.yaml"], "Missing option '-o' / '--out'"),
    (["submit", "--host", "h"], "Missing argument 'FILE'"),
    (["predict", "B", "t.csv"], "Missing option '-o' / '--out'"),
    (
        ["compile", "a.yaml", "-o", "b.yaml", "--platform", "argo"],
        "'argo' is not one of: kfp, vertex, kubernetes, local",
    ),
    (["predict", "B"], "Missing argument 'TABLE'"),
    (["schema", "a.yaml"], "unexpected extra argument"),
]


def words(text: str) -> str:
    """A message without its frame and line ends."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())


def test_the_commands_are_these(polyhead):
    result = polyhead("--help")
    assert result.code == 0
    listed = re.findall(r"(?m)^│ ([a-z][a-z-]*) ", result.out)
    assert sorted(listed) == sorted(COMMANDS)
    assert "Start with: polyhead demo" in result.out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_every_option(polyhead, command):
    result = polyhead(command, "--help")
    assert (result.code, result.err) == (0, "")
    shown = set(re.findall(r"(?<![\w-])(?:--?[a-z]+(?:-[a-z]+)*|TABLE|CONFIG|BUNDLE|VERSION|PARTITION)\b", result.out))
    assert shown - {"-h"} == {"--help", *COMMANDS[command]}


def test_the_platforms_that_help_shows_are_those_that_there_are(polyhead, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    for command, known in (("compile", PLATFORMS), ("submit", REMOTE)):
        assert f" <{'|'.join(known)}> " in polyhead(command, "--help").out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_words_are_completed(shell, tmp_path):
    """The script that a shell needs, and what it asks for."""
    program = [sys.executable, "-c", "from polyhead.cli import main; main()"]
    environment = {**os.environ, "_POLYHEAD_COMPLETE": f"source_{shell}"}
    script = subprocess.run(program, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert "_POLYHEAD_COMPLETE=complete_" in script
    assert "polyhead" in script


def test_short_help_is_help(polyhead):
    assert polyhead("run", "-h").out == polyhead("run", "--help").out


def test_no_word_at_all_shows_help(polyhead):
    result = polyhead()
    assert result.code == 2
    assert "Usage: polyhead [OPTIONS] COMMAND" in result.out + result.err


def test_version_is_the_package_version(polyhead):
    result = polyhead("--version")
    assert (result.code, result.out, result.err) == (0, f"polyhead {package.__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"), USAGE_ERRORS, ids=lambda value: value if isinstance(value, str) else " ".join(value)
)
def test_a_wrong_call_ends_with_2_and_names_the_word(polyhead, tmp_path, arguments, message):
    result = polyhead(*arguments)
    assert (result.code, result.out) == (2, "")
    assert message in words(result.err)
    assert "Traceback" not in result.err
    assert list(tmp_path.iterdir()) == []


QUIET = {"demo", "schema"}
"""Commands that need nothing, and so succeed when they are called alone."""


@pytest.mark.parametrize("as_json", [False, True], ids=["", "--json"])
@pytest.mark.parametrize("command", sorted(set(COMMANDS) - QUIET))
def test_a_mistake_ends_with_1_and_is_told_on_stderr(polyhead, tmp_path, command, as_json):
    """Whatever the command: no colour in a pipe, no line broken, nothing written, stdout empty or JSON."""
    result = polyhead(*shortest_call(command, "none.yaml"), *["--json"] * as_json)
    assert result.code == 1
    if as_json:
        assert [problem["code"] for problem in json.loads(result.out)["problems"]]
    else:
        assert result.out == ""
    lines = result.err.splitlines()
    assert [line for line in lines if line.startswith("error: ")]
    assert "\x1b" not in result.err
    assert "Traceback" not in result.err
    place = "none.yaml: no such file" if takes_config(command) else "nothing"
    assert [line for line in lines if line.startswith(f"  {place}")]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", COMMANDS)
def test_an_option_that_is_none_ends_with_2(polyhead, tmp_path, command):
    """Whatever else stands in the call."""
    result = polyhead(*shortest_call(command, "none.yaml"), "--nonsense")
    assert (result.code, result.out) == (2, "")
    assert "No such option: --nonsense" in words(result.err)
    assert list(tmp_path.iterdir()) == []


COLOUR = re.compile(r"\x1b\[(?:[0-9]+;)*(?:3[0-7]|9[0-7]|38;)")


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False), ({}, False)],
    ids=["forced", "NO_COLOR", "a pipe"],
)
def test_colour_is_shown_where_it_is_wanted(tmp_path, environment, coloured):
    kept = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "NO_COLOR")}
    done = subprocess.run(
        [sys.executable, "-c", "from polyhead.cli import main; main()", "validate", "none.yaml", "--out", "V"],
        cwd=tmp_path,
        env={**kept, **environment, "TERM": "xterm-256color"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "none.yaml" in done.stderr
    assert bool(COLOUR.search(done.stderr)) is coloured
