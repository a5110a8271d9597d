"""The wheel holds both packages, whole, and nothing else, and works without the checkout; the sdist gives it again."""

from __future__ import annotations

import email.message
import email.parser
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from trove_classifiers import classifiers

import polyhead

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "polyhead": ROOT / "components" / "polyhead",
    "polyhead_pipelines": ROOT / "pipelines" / "polyhead_pipelines",
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def build(target: str, checkout: Path, folder: Path) -> Path:
    """A wheel or sdist of a checkout."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)],
        cwd=checkout,
        check=True,
        capture_output=True,
    )
    (found,) = folder.iterdir()
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(f"polyhead-{polyhead.__version__}.dist-info/METADATA").decode("utf-8")
    return email.parser.Parser().parsestr(text)


def test_the_wheel_is_pure_python(wheel):
    assert wheel.name == f"polyhead-{polyhead.__version__}-py3-none-any.whl"


def test_the_wheel_holds_every_file_of_both_packages_and_nothing_else(names):
    sources = {
        f"{package}/{path.relative_to(folder).as_posix()}"
        for package, folder in PACKAGES.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    info = f"polyhead-{polyhead.__version__}.dist-info"
    about = {f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")}
    assert len(names) == len(set(names))
    assert set(names) == sources | about


def test_only_these_kinds_of_files_are_packed(names):
    """A data set, a notebook or a build that lands in a package by mistake is seen here."""
    others = {name for name in names if ".dist-info/" not in name and not name.endswith((".py", "/README.md"))}
    assert others == {
        "polyhead/__init__.pyi",
        "polyhead/card/card.html.j2",
        "polyhead/cross_validate/report.html.j2",
        "polyhead/evaluate/reporting/report.html.j2",
        "polyhead/page/base.html.j2",
        "polyhead/page/parts.html.j2",
        "polyhead/serve/page.css.j2",
        "polyhead/serve/page.html.j2",
        "polyhead/serve/page.js",
        "polyhead/py.typed",
        "polyhead/sample/polyhead.yaml",
        "polyhead_pipelines/py.typed",
    }
    assert not [name for name in names if "test" in name or "conftest" in name]


def test_the_sdist_holds_the_sources_and_what_they_are_built_with(sdist):
    """An environment or a data set that lies in the checkout is not packed."""
    with tarfile.open(sdist) as archive:
        paths = [Path(member.name) for member in archive.getmembers()]
    start = f"polyhead-{polyhead.__version__}"
    assert {path.parts[0] for path in paths} == {start}
    top = {path.parts[1] for path in paths if len(path.parts) == 2}
    assert top == {".gitignore", "CHANGELOG.md", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml"}
    rooms = {"/".join(path.parts[1:3]) for path in paths if len(path.parts) > 2}
    assert rooms == {"components/polyhead", "pipelines/configs", "pipelines/polyhead_pipelines"}


def test_a_wheel_built_from_the_sdist_is_the_same_byte_for_byte(sdist, wheel, tmp_path):
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    again = build("wheel", tmp_path / f"polyhead-{polyhead.__version__}", tmp_path / "dist")
    assert again.name == wheel.name
    assert again.read_bytes() == wheel.read_bytes()


def test_metadata_follows_the_specification(sdist, wheel):
    """The library `packaging` reads it strictly: it refuses unknown fields, and values that an index would refuse."""
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(f"polyhead-{polyhead.__version__}.dist-info/METADATA")
    parsed = Metadata.from_email(content, validate=True)
    assert parsed.description_content_type == "text/markdown"
    assert sorted(parsed.classifiers or []) == parsed.classifiers
    assert set(PROJECT["classifiers"]) <= classifiers
    with tarfile.open(sdist) as archive:
        member = archive.extractfile(f"polyhead-{polyhead.__version__}/PKG-INFO")
        assert member is not None
        assert member.read() == content


def test_metadata_names_the_project_and_its_license(metadata):
    assert metadata["Name"] == "polyhead"
    assert metadata["Version"] == polyhead.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_all("License-File") == ["LICENSE"]
    assert metadata["Requires-Python"] == "<3.14,>=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload() == (ROOT / "README.md").read_text(encoding="utf-8")


def test_metadata_names_the_dependencies_and_the_extras(metadata):
    required = [Requirement(line) for line in metadata.get_all("Requires-Dist")]
    plain = {(canonicalize_name(one.name), str(one.specifier)) for one in required if one.marker is None}
    declared = [Requirement(line) for line in PROJECT["dependencies"]]
    assert plain == {(canonicalize_name(one.name), str(one.specifier)) for one in declared}
    assert ("kfp", "<3,>=2.17") in plain
    extra_names = ["bigquery", "dicom", "docker", "gpu", "heic", "mlflow", "onnx", "serve"]
    assert sorted(metadata.get_all("Provides-Extra")) == extra_names
    extras: dict[str, list[str]] = {}
    for one in required:
        if one.marker is not None:
            extras.setdefault(str(one.marker), []).append(str(one).partition(";")[0].strip())
    assert extras == {
        'extra == "bigquery"': ["google-cloud-bigquery-storage>=2.27"],
        'extra == "dicom"': ["pydicom>=3.0"],
        'extra == "docker"': ["docker>=7.1"],
        'extra == "gpu"': ["tensorflow[and-cuda]>=2.18"],
        'extra == "heic"': ["pillow-heif>=1.0"],
        'extra == "mlflow"': ["mlflow-skinny>=3.4"],
        'extra == "onnx"': ["onnx>=1.17", "tf2onnx>=1.16"],
        'extra == "serve"': ["prometheus-client>=0.21", "starlette>=0.45", "uvicorn>=0.34"],
    }


def test_every_extra_that_a_message_names_is_one():
    """What tells a user to install an extra is right."""
    sources = [path.read_text("utf-8") for folder in PACKAGES.values() for path in folder.rglob("*.py")]
    named = {name for text in sources for name in re.findall(r"polyhead\[(\w+)\]", text)}
    assert named == set(PROJECT["optional-dependencies"]) - {"gpu"}


def test_the_console_script_is_the_command_line(wheel):
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(f"polyhead-{polyhead.__version__}.dist-info/entry_points.txt").decode("utf-8")
    assert text.split("\n") == ["[console_scripts]", "polyhead = polyhead.cli:main", ""]


def test_the_wheel_works_without_the_checkout(wheel, tmp_path):
    """Its own copy answers, finds its template and its sample, and compiles a pipeline."""
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    code = """
import sys
from importlib.resources import files
from pathlib import Path
import polyhead, polyhead_pipelines
from polyhead.contracts.config import ConfigFile
from polyhead.evaluate.reporting import report
from polyhead.sample import write_sample
from polyhead_pipelines.compiling.pipeline import compile_pipeline
from polyhead_pipelines.platforms.table import PLATFORMS
for package in (polyhead, polyhead_pipelines, report):
    assert Path(package.__file__).is_relative_to(sys.argv[1]), package.__file__
assert "<html" in files("polyhead.page").joinpath("base.html.j2").read_text("utf-8")
config = write_sample(Path("sample"), rows=40)
compile_pipeline(ConfigFile.read(config), PLATFORMS["kfp"]).write(Path("pipeline.yaml"))
"""
    subprocess.run(
        [sys.executable, "-c", code, str(site)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        check=True,
    )
    assert "exec-evaluate" in (tmp_path / "pipeline.yaml").read_text(encoding="utf-8")
