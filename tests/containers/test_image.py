"""What is in the image, what is not, and under which rules it starts."""

from __future__ import annotations

import pytest

import polyhead as package


def test_the_image_says_what_it_is_and_runs_as_nobody_special(client, image):
    about = client.images.get(image).attrs["Config"]
    assert about["User"] == "65532:65532"
    assert about["Entrypoint"] == ["polyhead"]
    labels = about["Labels"]
    assert labels["org.opencontainers.image.version"] == package.__version__
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert labels["org.opencontainers.image.revision"] not in ("", "unknown")


@pytest.mark.parametrize("user", [None, "1234:1234", "1000650000:0"], ids=["its own", "another", "a cluster's"])
def test_any_user_can_run_it_with_a_read_only_root(shell, user):
    """What KFP's command needs is there, and nothing but /tmp is written to."""
    script = """
    polyhead --version
    program=$(mktemp -d)
    printf '%s' 'import getpass, pathlib; print(pathlib.Path.home(), bool(getpass.getuser()))' > "$program/it.py"
    python3 "$program/it.py"
    _KFP_RUNTIME=true python3 -m kfp.dsl.executor_main --help >/dev/null
    id -u
    ! touch /root-is-read-only 2>/dev/null
    """
    options = {} if user is None else {"user": user}
    version, home, uid = shell(script, **options).splitlines()
    assert version == f"polyhead {package.__version__}"
    assert home == "/tmp True"
    assert uid == (user or "65532").partition(":")[0]


def test_without_a_word_it_shows_its_help(client, image):
    printed = client.containers.run(image, network_mode="none", remove=True).decode()
    assert "Usage: polyhead [OPTIONS] COMMAND" in printed


def test_nothing_that_installs_or_builds_is_left(shell):
    programs = "pip pip3 uv uvx conda gcc cc c++ make git curl wget"
    found = f"for program in {programs}; do if command -v $program; then :; fi; done"
    assert shell(found) == ""
    modules = ["pip", "setuptools", "wheel", "hatchling", "uv", "ensurepip"]
    look = f"import importlib.util as u; print([name for name in {modules} if u.find_spec(name)])"
    assert shell(look, python=True) == "[]\n"
    for python in shell("ls /usr/bin/python3 /usr/local/bin/python3 2>/dev/null || true").split():
        assert shell(look, entrypoint=[python, "-c"]) == "[]\n"
    assert shell("find / -xdev \\( -name '*.whl' -o -name .netrc -o -type f -perm /6000 \\) 2>/dev/null || true") == ""
    assert shell("find /opt/polyhead -type f -perm /022") == ""


def test_polyhead_is_the_wheels_and_no_checkout(shell):
    where = "import polyhead, polyhead_pipelines as pipelines; print(polyhead.__file__, pipelines.__file__)"
    assert all(place.startswith("/opt/polyhead/lib/python3") for place in shell(where, python=True).split())
    about = "from importlib.metadata import distribution as d; print(d('polyhead').read_text('direct_url.json'))"
    assert "editable" not in shell(about, python=True)
    sources = "-name .git -o -name 'requirements-*.txt' -o -path '*/components/polyhead' -o -path '*/docker/Dockerfile'"
    assert shell(f"find / -xdev {sources} 2>/dev/null || true") == ""


@pytest.mark.parametrize("module", ["polyhead.cli", "tensorflow", "keras", "kfp.dsl.executor_main"])
def test_bytecode_is_there(shell, module):
    """A read-only root cannot keep it, and each step would compile TensorFlow's Python anew."""
    code = f"import importlib.util as u, os; print(os.path.isfile(u.find_spec({module!r}).cached))"
    assert shell(code, python=True) == "True\n"


def test_the_whole_pipeline_can_be_imported(shell):
    """What was left out to save space is not missed: every module of both packages, and what they import late.

    One module needs ONNX, which no step does.
    """
    code = """
import importlib, pkgutil
import google.cloud.bigquery_storage_v1, mlflow, pydicom
import polyhead, polyhead_pipelines
for package in (polyhead, polyhead_pipelines):
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if found.name not in ("polyhead.__main__", "polyhead.export.graph"):
            importlib.import_module(found.name)
import google.cloud.storage, keras, kfp.compiler, kfp.kubernetes, kfp.local
import markupsafe, obstore, sklearn.metrics, tensorflow
print("all")
"""
    assert shell(code, python=True).splitlines()[-1] == "all"
