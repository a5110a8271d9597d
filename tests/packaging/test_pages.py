"""What the pages for users show is run as it stands: shell commands, Python, configurations.

Bash itself reads a page's shell blocks and says which programs they call with which words. A `polyhead` call is then
made in this process, in a folder with a small sample. What needs a cluster, a bucket, Docker or the network is read by
the command line and not carried out; `why_not` and `FOREIGN` say why. Every page but that of the steps starts where
that one has ended, with a trained model.

A block of `text` is what a program prints, or code for other programs than this one: nothing runs it.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import inspect
import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest
import typer
import yaml
from commandline import change, small_sample
from typer.core import TyperGroup

from polyhead.cli import app, main
from polyhead.contracts.config import parse_config
from polyhead.kinds.union import METRIC_NAMES

ph: Any = import_module("polyhead")  # its names are there when they are first used
ROOT = Path(__file__).parents[2]
README, CLUSTER, STEPS = ROOT / "README.md", ROOT / "docs" / "cluster.md", ROOT / "docs" / "steps.md"
PAGES = [
    README,
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "docs" / "notebooks" / "start.ipynb",
    ROOT / "docker" / "README.md",
    ROOT / "benchmarks" / "README.md",
    ROOT / "CONTRIBUTING.md",
]
USAGE_ERROR = typer.BadParameter.__mro__[1]
"""What Typer raises for every wrong call; it has no public name."""
BLOCK = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
LANGUAGES = {"bash", "python", "yaml", "json", "text"}
FOREIGN = {
    "gcloud": "needs Google Cloud",
    "kubectl": "needs a cluster",
    "docker": "needs Docker and an image",
    "chromium": "needs a browser",
    "sudo": "needs root",
    "python3": "reads what gcloud copied",
    "mkdir": "makes room for what gcloud copies",
    "id": "is the user's own",
}
"""Programs that pages call and that are not run here."""
RECORDER = r"""
set -u
call() { printf '%s\0' "$@" $'\x1e' >> "$CALLS"; }
command_not_found_handle() { call "$@"; }
PATH=/nowhere
"""
LEAST: dict[str, Any] = {"table": "t.csv", "features": {"a": {"kind": "numeric"}}, "targets": {"b": {"kind": "binary"}}}
WORKFLOWS = [ROOT / ".github" / "workflows" / "release.yml", ROOT / "docs" / "examples" / "github-actions.yml"]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
STEP_NAMES = {"v": "validate", "p": "preprocess", "s": "shard", "t": "train", "e": "evaluate"}
"""The folders that the page of the steps writes, and those of `polyhead demo`."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, and the program calls that bash finds in it."""

    line: int
    language: str
    text: str
    calls: tuple[tuple[str, ...], ...] = ()


@functools.cache
def blocks(page: Path) -> list[Block]:
    """All fenced blocks with a language, in order; of a notebook the cells of code."""
    content = page.read_text("utf-8")
    if page.suffix == ".ipynb":
        cells = [cell for cell in json.loads(content)["cells"] if cell["cell_type"] == "code"]
        return [Block(number, "python", "".join(cell["source"])) for number, cell in enumerate(cells)]
    found = [
        (content[: match.start()].count("\n") + 1, match[1], textwrap.dedent(match[2]))
        for match in BLOCK.finditer(content)
    ]
    shell = [text for _, language, text in found if language == "bash"]
    recorded = iter(calls_in(shell))
    return [Block(*one, next(recorded) if one[1] == "bash" else ()) for one in found]


def calls_in(shell: list[str]) -> list[tuple[tuple[str, ...], ...]]:
    """The words of each program call that bash makes in each of these blocks, read as one script."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        (here / ".venv" / "bin").mkdir(parents=True)
        for program in ("activate", "pre-commit"):
            (here / ".venv" / "bin" / program).touch(mode=0o755)
        recorded = here / "calls"
        recorded.touch()
        script = RECORDER + "".join(f"{text}\ncall @end\n" for text in shell)
        environment = {"CALLS": str(recorded), "EDITOR": "editor", "HOME": folder}
        done = subprocess.run(
            ["/bin/bash", "-c", script], cwd=here, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        words = [call.rstrip("\0").split("\0") for call in recorded.read_text("utf-8").split("\x1e\0")[:-1]]
    result: list[tuple[tuple[str, ...], ...]] = []
    block: list[tuple[str, ...]] = []
    for call in words:
        if call == ["@end"]:
            result.append(tuple(block))
            block = []
        else:
            block.append(tuple(call))
    return result


def why_not(call: tuple[str, ...]) -> str:
    """Why a `polyhead` command of a page is not carried out here; empty where it is."""
    command = call[0]
    if command == "serve":
        return "ends when it is told to; tests/serve has it"
    if command == "submit":
        return "needs a pipelines server"
    if command != "deploy" and ("docker" in call or "polyhead:0.1.0" in call):
        return "needs Docker and an image"
    if command == "rollback" or (command != "compile" and any(word.startswith("gs://") for word in call)):
        return "needs a bucket"
    if any(word.startswith("path/to/") for word in call):
        return "needs the Houses data"
    if command == "cross-validate":
        return "takes five trainings; tests/cross_validate has them"
    if command == "ablate":
        return "takes two trainings; tests/ablate has them"
    if command == "run":
        return "its first step is; the whole is in tests/pipelines/local/test_local.py"
    return ""


def commands(page: Path) -> list[tuple[str, ...]]:
    """The words after `polyhead` of each command that a page shows, those in a container too."""
    found = []
    for words in (call for block in blocks(page) for call in block.calls):
        if words[0] == "polyhead":
            found.append(words[1:])
        elif words[:2] == ("docker", "run") and "polyhead:0.1.0" in words:
            found.append(words[words.index("polyhead:0.1.0") + 1 :])
    return found


def label(page: Path, call: tuple[str, ...]) -> str:
    reason = why_not(call)
    return f"{page.relative_to(ROOT)}: {' '.join(call)[:70]}{f' (not run, {reason})' if reason else ''}"


CALLS = [pytest.param(call, id=label(page, call)) for page in PAGES for call in commands(page)]


def parse(call: tuple[str, ...]) -> None:
    """Read a command line as the program does, and run nothing."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    with group.make_context("polyhead", list(call)) as context:
        name, command, rest = group.resolve_command(context, list(call))
        assert command is not None
        command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("call", CALLS)
def test_each_command_on_a_page_is_one(call: tuple[str, ...]) -> None:
    """The command is there, and takes the arguments and options that stand behind it."""
    parse(call)


@pytest.mark.parametrize("call", [("nonsense",), ("compile",), ("submit", "a.yaml", "--nonsense")])
def test_a_command_that_is_none_would_be_found(call: tuple[str, ...]) -> None:
    """A page with it would fail, and the page about clusters does show commands."""
    with pytest.raises(USAGE_ERROR):
        parse(call)
    assert {"compile", "submit", "rollback", "run"} <= {call[0] for call in commands(CLUSTER)}
    assert {"train", "shard-partition"} <= {call[0] for call in commands(STEPS)}
    assert "init" in {call[0] for call in commands(README)}


def test_every_block_is_of_a_language_and_every_program_is_known() -> None:
    """Blocks are run, read or checked by their language; programs that are not run have a reason."""
    for page in PAGES:
        for block in blocks(page):
            place = f"{page.relative_to(ROOT)}:{block.line}"
            assert block.language in LANGUAGES, place
            for program, *words in block.calls:
                assert program in FOREIGN or program in ("polyhead", "make", "editor"), f"{place} {program}"
                if program == "make":
                    assert {word for word in words if "=" not in word} <= TARGETS, f"{place} make {words}"


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the page of the steps has been followed."""
    folder = tmp_path_factory.mktemp("steps")
    sample = small_sample(folder / "polyhead-demo")
    change(sample, gate={"price": {"mae": ">= 0"}}, image_root=str(sample.parent))
    follow(STEPS, folder)
    for step in "vpste":
        (folder / "polyhead-demo" / STEP_NAMES[step]).symlink_to(folder / "out" / step)
    return folder


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page != STEPS], ids=lambda page: str(page.relative_to(ROOT))
)
def test_a_page_can_be_followed_as_it_stands(
    page: Path, steps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Block after block, in one folder: every command ends with 0, every program runs, every configuration is sound.

    The sample is that of the demo with fewer rows, one epoch, and a gate that any model passes, since a published
    version is shown. A configuration on a page is `polyhead.yaml` from there on.
    """
    shutil.copytree(steps / "polyhead-demo" / "sample", tmp_path / "polyhead-demo" / "sample")
    for name in STEP_NAMES.values():
        (tmp_path / "polyhead-demo" / name).symlink_to(steps / "polyhead-demo" / name)
    (tmp_path / "out").symlink_to(steps / "out")
    (tmp_path / "polyhead-out").symlink_to(steps / "polyhead-demo")  # what polyhead run leaves
    sample = tmp_path / "polyhead-demo" / "sample" / "polyhead.yaml"
    if not any(call[0] == "init" for call in commands(page)):
        change(sample, tmp_path / "polyhead.yaml", table=str(sample.parent / "mugs.csv"))
    if find_spec("polyhead.api"):
        call_without_training(monkeypatch, steps / "polyhead-demo")
    follow(page, tmp_path)


def call_without_training(patch: pytest.MonkeyPatch, run: Path) -> None:
    """Have `ph.fit` give the model of a run, and `ph.submit` nothing, when they are called with what they take.

    The folder that a model would be written to is that run's.
    """
    takes_to_fit, takes_to_submit = inspect.signature(ph.fit), inspect.signature(ph.submit)

    def fit(*arguments: Any, **options: Any) -> Any:
        place = Path(takes_to_fit.bind(*arguments, **options).arguments.get("out", "polyhead-runs"))
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.symlink_to(run)
        return ph.load(place)

    def submit(*arguments: Any, **options: Any) -> Any:
        takes_to_submit.bind(*arguments, **options)
        return create_autospec(ph.Run, instance=True)

    patch.setattr(ph, "fit", fit)
    patch.setattr(ph, "submit", submit)


def follow(page: Path, folder: Path) -> None:
    """Run what a page shows, in a folder with a sample. The page's Python shares its names, as in a notebook."""
    config = folder / "polyhead.yaml"
    names: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.chdir(folder):
        for block in blocks(page):
            place = f"{page.relative_to(ROOT)}:{block.line}"
            match block.language:
                case "yaml" if "apiVersion:" in block.text:  # a manifest of Kubernetes
                    assert yaml.safe_load(block.text)["kind"]
                case "yaml":
                    whole = "\ntable:" in f"\n{block.text}"
                    parse_config(block.text if whole else completed(block.text), name=place)
                    if whole:
                        config.write_text(block.text)
                case "json":
                    json.loads(block.text)
                case "python" if re.search(r"\bph\b", block.text) and find_spec("polyhead.api") is None:
                    ast.parse(block.text)
                case "python":
                    exec(compile(block.text, place, "exec"), names)
                case "bash":
                    for name, *words in block.calls:
                        if name == "editor":
                            change(folder / words[0], train={"epochs": 1})
                        if name != "polyhead":
                            continue
                        call = begin(words)
                        if why_not(call):
                            continue
                        if "vertex" in words:
                            without_what_vertex_refuses(config)
                        code, err = called(call)
                        assert code == 0, f"{place} {' '.join(call)}\n{err}"


def completed(sections: str) -> str:
    """Some sections of a configuration, with the least that is missing to a whole one."""
    given = yaml.safe_load(sections)
    missing = {name: text for name, text in LEAST.items() if name not in given}
    for name, target in given.get("gate", {}).items() if "targets" not in given else ():
        kinds = (kind for kind, metrics in METRIC_NAMES.items() if set(target) <= set(metrics))
        missing["targets"] = {**missing["targets"], name: {"kind": next(kinds)}}
    for name in given.get("evaluate", {}).get("slices", ()) if "features" not in given else ():
        missing["features"] = {**missing["features"], name: {"kind": "category"}}
    return yaml.safe_dump(missing) + sections


def called(call: tuple[str, ...]) -> tuple[int, str]:
    """Exit code and stderr of a command, made in this process as the console script does."""
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()):
        patch.setattr(sys, "argv", ["polyhead", *call])
        with contextlib.redirect_stderr(io.StringIO()) as err:
            try:
                main()
            except SystemExit as end:
                return int(end.code or 0), err.getvalue()
    return 0, err.getvalue()


def begin(words: list[str]) -> tuple[str, ...]:
    """A command as it is carried out here: of `run` in processes only its first step."""
    if words[0] == "run" and "docker" not in words:
        return ("validate", *words[1:], "--out", "what run begins with")
    return tuple(words)


def without_what_vertex_refuses(config: Path) -> None:
    """Do what the page says before its commands for Vertex AI."""
    cluster = yaml.safe_load(config.read_text())["cluster"]
    for name in ("volumes", "service_account"):
        del cluster[name]
    del cluster["steps"]["train"]["secrets"]
    change(config, cluster=cluster)


def test_the_example_for_a_cluster_asks_for_what_the_page_shows(polyhead, tmp_path) -> None:
    """The configuration is sound, and `compile --dry-run` prints what stands below it, without a warning."""
    (example,) = (block.text for block in blocks(CLUSTER) if block.text.startswith("table:"))
    (shown,) = (block.text for block in blocks(CLUSTER) if block.text.startswith("platform kfp"))
    (tmp_path / "polyhead.yaml").write_text(example)
    (call,) = (call for call in commands(CLUSTER) if call[1:4] == ("polyhead.yaml", "--dry-run", "--partitions"))
    result = polyhead(*call)
    assert (result.code, result.err) == (0, "")
    assert [line.rstrip() for line in result.out.strip().splitlines()] == shown.strip().splitlines()


def test_the_readme_can_be_read_in_five_minutes() -> None:
    assert len(README.read_text("utf-8").split()) <= 1_300


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_names_commands_and_files_that_are_there(path: Path) -> None:
    """What a workflow's steps call is read as a page's blocks are: commands of `polyhead`, targets of make, scripts."""
    workflow = yaml.safe_load(path.read_text("utf-8"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert all(("run" in step) != ("uses" in step) for step in steps)
    lines = [line for step in steps for line in step.get("run", "").splitlines()]
    for words in (line.split(" #")[0].split() for line in lines):
        if words[:1] == ["polyhead"]:
            parse(tuple(words[1:]))
        if words[:1] == ["make"]:
            assert set(words[1:]) <= TARGETS
        for script in (word for word in words if word.startswith((".ci/", "docker/"))):
            assert (ROOT / script).is_file()


LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")
GUARANTEE = re.compile(r"\]\(\.\./(tests/[^)]+\.py)\), `(test_\w+)`")


@pytest.mark.parametrize("page", [*PAGES, ROOT / "ARCHITECTURE.md"], ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [link for link in LINK.findall(text) if not (page.parent / link).exists()] == []


def test_every_guarantee_names_a_test_that_is_there() -> None:
    found = GUARANTEE.findall((ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8"))
    assert len(found) > 3
    missing = [name for place, name in found if f"def {name}(" not in (ROOT / place).read_text(encoding="utf-8")]
    assert missing == []
