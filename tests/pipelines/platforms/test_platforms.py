"""A platform is one module and one line in the table: nothing else knows it by its name."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

import polyhead
import polyhead_pipelines
from polyhead.contracts.cluster import Accelerator
from polyhead_pipelines.platforms import table
from polyhead_pipelines.remote.definition import Definition
from polyhead_pipelines.remote.platform import Connection, RemotePlatform
from polyhead_pipelines.remote.request import Request
from polyhead_pipelines.remote.server import Run, Server, Status

PLATFORMS = Path(table.__file__).parent
CONFIG = """
table: gs://bucket/t.csv
features: {area: {kind: numeric}}
targets: {price: {kind: regression}}
cluster: {disk: 1Gi, steps: {train: {accelerator: {type: nvidia-l4}}}}
"""


def modules() -> list[Path]:
    """What could branch on a platform: the pipelines outside `platforms`, and the command line."""
    pipelines = Path(polyhead_pipelines.__file__).parent.rglob("*.py")
    found = [path for path in pipelines if PLATFORMS not in path.parents]
    return [*found, *Path(polyhead.__file__).parent.glob("cli/*.py")]


def names_compared(source: str) -> set[str]:
    """Names of platforms that a module compares something with, looks up or matches."""
    found = set[object]()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare | ast.MatchValue | ast.Subscript):
            found |= {part.value for part in ast.walk(node) if isinstance(part, ast.Constant)}
    return set(table.PLATFORMS) & found


def test_the_search_finds_each_way_to_branch():
    for source in ("a == 'kfp'", "a in ('vertex', 'b')", "{}['local']", "match a:\n case 'kubernetes': pass"):
        assert names_compared(source), source
    assert not names_compared("a = 'kfp'\nf(platform='kfp')")


def test_nothing_branches_on_the_name_of_a_platform():
    assert len(modules()) > 20
    found = {path.name: names for path in modules() if (names := names_compared(path.read_text(encoding="utf-8")))}
    assert found == {}


def test_every_module_of_platforms_is_in_the_table():
    listed = {type(platform).__module__.rpartition(".")[2]: name for name, platform in table.PLATFORMS.items()}
    assert set(listed) == {path.stem for path in PLATFORMS.glob("*.py")} - {"__init__", "table"}
    assert all(module == name for module, name in listed.items())
    assert list(table.REMOTE) == ["kfp", "vertex"]


@pytest.mark.parametrize(("command", "platforms"), [("compile", table.PLATFORMS), ("submit", table.REMOTE)])
def test_help_names_every_platform(polyhead, command, platforms, monkeypatch):
    """Without importing the table: see tests/test_imports.py."""
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 200)
    assert f"<{'|'.join(platforms)}>" in polyhead(command, "--help").out


class Elsewhere(RemotePlatform):
    """A platform that nothing in the package has heard of."""

    name = "elsewhere"
    about = "pipeline for a platform of the tests."
    refused = {"secrets": ("has no secrets", "remove this")}  # noqa: RUF012  # declared in Platform
    ignored = {"disk": "it has one disk"}  # noqa: RUF012
    expands = True
    needed_options = ("--project",)
    own_options = ("--project", "--schedule", "--upload-only")

    def accelerator_name(self, accelerator: Accelerator) -> str:
        return f"a {accelerator.type}"

    def connect(self, connection: Connection) -> Server:
        return Recorder(connection)


class Recorder(Server):
    """Ends every run at once."""

    requests: ClassVar[list[tuple[Connection, Request]]] = []

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def start(self, request: Request) -> Run:
        self.requests.append((self._connection, request))
        return Run("r-1", "http://elsewhere/r-1", Status("SUCCEEDED"))

    def status(self, run_id: str, definition: Definition, seconds: float) -> Status:
        raise AssertionError(f"{run_id} has ended")


@pytest.fixture
def config(tmp_path, monkeypatch) -> Path:
    """A configuration, and the new platform's line in the table."""
    monkeypatch.setitem(table.PLATFORMS, "elsewhere", Elsewhere())
    monkeypatch.setitem(table.REMOTE, "elsewhere", Elsewhere())
    path = tmp_path / "polyhead.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


def test_a_new_platform_is_compiled_for_in_its_own_words(polyhead, config, tmp_path):
    result = polyhead("compile", config, "-o", "a.yaml", "--platform", "elsewhere", "--json")
    assert result.code == 0, result.err
    assert "cluster.disk is ignored for elsewhere: it has one disk" in json.loads(result.out)["warnings"]
    text = (tmp_path / "a.yaml").read_text(encoding="utf-8")
    assert text.startswith("# Polyhead's training pipeline for a platform of the tests.\n")
    executors: dict[str, Any] = yaml.safe_load(text)["deploymentSpec"]["executors"]
    assert executors["exec-train"]["container"]["resources"]["accelerator"]["type"] == "a nvidia-l4"


def test_what_a_new_platform_lacks_is_refused(polyhead, config):
    config.write_text(CONFIG.replace("disk: 1Gi", "secrets: [{name: s, mount: /s}]"), encoding="utf-8")
    result = polyhead("compile", config, "-o", "a.yaml", "--platform", "elsewhere")
    assert result.code == 1
    assert "polyhead.yaml:5 cluster.secrets: has no secrets" in " ".join(result.err.split())


def test_runs_are_submitted_to_a_new_platform(polyhead, config):
    """With its own options, which other platforms refuse."""
    result = polyhead("submit", config, "--platform", "elsewhere", "--project", "mugs", "--wait")
    assert (result.code, result.out) == (0, "http://elsewhere/r-1\n"), result.err
    (connection, request) = Recorder.requests.pop()
    assert (connection.project, request.definition.name) == ("mugs", "polyhead-training")
    assert "--project: is missing" in " ".join(polyhead("submit", config, "--platform", "elsewhere").err.split())


@pytest.mark.parametrize("option", [("--schedule", "0 6 * * 1"), ("--upload-only",)], ids=["schedule", "upload"])
def test_what_a_server_cannot_keep_is_an_error_of_its_own(polyhead, config, option):
    """Where the options of its platform let it pass."""
    result = polyhead("submit", config, "--platform", "elsewhere", "--project", "mugs", *option)
    assert result.code == 1
    assert "[unsupported-by-server]" in result.err
