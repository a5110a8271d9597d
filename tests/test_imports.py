"""What is imported when: TensorFlow by train, evaluate and predict alone, and next to nothing by `--help`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import polyhead

TENSORFLOW = {"tensorflow", "keras"}
HEAVY = TENSORFLOW | {
    "PIL",
    "google.cloud",
    "jinja2",
    "kfp",
    "kfp_server_api",
    "numpy",
    "pandas",
    "polars",
    "polyhead.contracts",
    "polyhead_pipelines",
    "pyarrow",
    "pydantic",
    "sklearn",
    "yaml",
}
COMMANDS = (
    "demo",
    "init",
    "schema",
    "validate",
    "preprocess",
    "shard",
    "encode",
    "train",
    "evaluate",
    "run",
    "compile",
    "submit",
    "predict",
    "show",
    "card",
    "compare",
    "gate",
    "drift",
    "serve",
    "deploy",
    "export",
)
COMMAND = "from polyhead.cli import main; main()"


def loaded(code: str, *arguments: str | Path, cwd: Path) -> set[str]:
    """The modules that a fresh interpreter holds after running some code, which must end well."""
    kept = cwd / "modules.json"
    program = f"""
import atexit, json, sys
atexit.register(lambda: open({str(kept)!r}, "w").write(json.dumps(sorted(sys.modules))))
{code}
"""
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(kept.read_text()))


def test_the_check_sees_a_lazy_import(tmp_path):
    """The guard of this module: what a command imports late is in the list."""
    assert {"polars", "polyhead.cli"} <= loaded(
        "import polyhead.cli\ndef late():\n import polars\nlate()", cwd=tmp_path
    )


@pytest.mark.parametrize("step", ["validate", "preprocess", "shard"])
def test_importing_a_light_step_leaves_tensorflow_out(step, tmp_path):
    modules = loaded(f"import polyhead.{step}.step", cwd=tmp_path)
    assert f"polyhead.{step}.step" in modules
    assert not modules & TENSORFLOW


@pytest.mark.parametrize("step", ["encode", "train", "evaluate", "predict"])
def test_importing_a_heavy_step_leaves_tensorflow_for_its_run(step, tmp_path):
    assert not loaded(f"import polyhead.{step}.step", cwd=tmp_path) & TENSORFLOW


def test_importing_the_pipeline_leaves_tensorflow_out(tmp_path):
    modules = loaded("import polyhead_pipelines.local.run, polyhead_pipelines.compiling.pipeline", cwd=tmp_path)
    assert "kfp" in modules
    assert not modules & TENSORFLOW


def test_running_the_light_steps_leaves_tensorflow_out(tiny: Callable[..., Any]):
    data = tiny()
    code = """
from polyhead.contracts.config import load_config
from polyhead.preprocess import step as preprocess
from polyhead.shard import step as shard
from polyhead.validate import step as validate
config = load_config("polyhead.yaml")
validate.run(config=config, table="table.csv", out="V")
preprocess.run(config=config, data="V", out="P")
shard.run(config=config, data="V", preprocessing="P", out="S")
"""
    modules = loaded(code, cwd=data.folder)
    assert (data.folder / "S" / "ShardManifest.json").is_file()
    assert {"PIL", "polars", "google_crc32c"} <= modules
    assert not modules & TENSORFLOW


@pytest.mark.parametrize(
    "arguments",
    [
        ("schema",),
        ("compile", "polyhead.yaml", "-o", "pipeline.yaml"),
        ("init", "table.csv", "--target", "price", "--target", "tags", "-o", "first.yaml"),
        ("validate", "polyhead.yaml", "--out", "V"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_light_command_leaves_tensorflow_out(arguments, tiny: Callable[..., Any]):
    assert not loaded(COMMAND, *arguments, cwd=tiny().folder) & TENSORFLOW


def test_the_package_itself_imports_nothing(tmp_path):
    """Its names are there all the same, for editors and type checkers too."""
    modules = loaded("import polyhead\nassert {'fit', 'infer', 'load'} <= set(dir(polyhead))", cwd=tmp_path)
    assert {name for name in modules if name.startswith("polyhead")} == {"polyhead"}
    assert not modules & (HEAVY | {"rich", "typer"})
    stub = (Path(polyhead.__file__).parent / "__init__.pyi").read_text(encoding="utf-8")
    assert set(re.findall(r"import (\w+) as \1", stub)) == set(polyhead.__all__) - {"__version__"}


def test_the_package_is_imported_at_once(tmp_path):
    """In under 0.1 s of processor time beside that of an interpreter, the best of five."""

    def took(code: str) -> float:
        program = f"import os\nbefore = sum(os.times()[:2])\n{code}\nprint(sum(os.times()[:2]) - before)"
        return float(subprocess.check_output([sys.executable, "-c", program], cwd=tmp_path, text=True))

    assert min(took("import polyhead") for _ in range(5)) < 0.1


@pytest.mark.parametrize(
    "code",
    [
        "polyhead.Config({'table': 't.csv', 'features': {'a': {'kind': 'numeric'}}, 'targets': {}})",
        "try: polyhead.load('none')\nexcept polyhead.PolyheadError: pass",
    ],
    ids=["Config", "load"],
)
def test_looking_at_a_configuration_or_a_model_leaves_tensorflow_and_kfp_out(code, tmp_path):
    modules = loaded(f"import polyhead\n{code}", cwd=tmp_path)
    assert not modules & (TENSORFLOW | {"kfp", "polyhead_pipelines", "sklearn", "altair", "pandas"})


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_imports_next_to_nothing(argument, tmp_path):
    assert not loaded(COMMAND, argument, cwd=tmp_path) & HEAVY


def test_the_help_of_the_commands_imports_little(tmp_path):
    """Typer's own reading of a command's parameters brings pydantic."""
    code = """
from polyhead.cli import app
from typer.testing import CliRunner
for command in sys.argv[1:]:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0, result.output
"""
    assert not loaded(code, *COMMANDS, cwd=tmp_path) & (HEAVY - {"pydantic"})


def test_help_answers_at_once(tmp_path):
    """In under 0.7 s of processor time, the best of three starts: what else the machine does is not counted."""
    program = """
import os, sys
from polyhead.cli import main
try:
    main()
finally:
    sys.stderr.write(str(sum(os.times()[:2])))
"""
    seconds = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", program, "--help"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "NO_COLOR": "1"},
        )
        assert "From a table to a trained, evaluated, servable" in done.stdout
        seconds.append(float(done.stderr))
    assert min(seconds) < 0.7
