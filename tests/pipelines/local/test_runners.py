"""Steps in containers, against a server that speaks Docker's API: what it is asked, and what is made of its answers.

With a real daemon and a real image: tests/containers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import daemon
import pytest
from commandline import digests
from daemon import Container, Daemon

import polyhead as package
from polyhead_pipelines.define.training import DEFAULT_IMAGE

SCRATCH = "/kfp-workspace"
VERSION = "org.opencontainers.image.version"


def event(**content: object) -> str:
    return f"@polyhead {json.dumps(content)}\n"


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """A daemon with this version's image, for DOCKER_HOST."""
    with daemon.listening() as server:
        server.images[DEFAULT_IMAGE] = {VERSION: package.__version__}
        monkeypatch.setenv("DOCKER_HOST", server.address)
        yield server


@pytest.fixture(autouse=True)
def _few_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def asked(polyhead, docker: Daemon, *options: str | Path, config: Path) -> dict[str, Any]:
    """What the daemon is asked of the first container, which ends without an output."""
    docker.containers.append(Container(code=1))
    assert polyhead("run", config, "--runner", "docker", *options).code == 1
    return docker.created[-1]


def mounted(body: dict[str, Any]) -> dict[str, str]:
    """What is mounted read-only, and where."""
    mounts = body["HostConfig"]["Mounts"]
    assert all((mount["Type"], mount["ReadOnly"]) == ("bind", True) for mount in mounts)
    return {mount["Target"]: mount["Source"] for mount in mounts}


def test_a_container_has_the_users_id_and_few_rights(polyhead, docker, tiny, tmp_path):
    body = asked(polyhead, docker, "--out", "here", config=tiny().config)
    host = body["HostConfig"]
    assert body["Image"] == DEFAULT_IMAGE
    assert body["User"] == f"{os.getuid()}:{os.getgid()}"
    assert body["Entrypoint"] == []
    assert body["Cmd"][:2] == ["sh", "-ec"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["NetworkMode"] == "none"
    assert list(host["Tmpfs"]) == ["/tmp"]
    assert host["ShmSize"] == 2**30
    assert sorted(body["Env"]) == ["POLYHEAD_PROGRESS=json", f"TMPDIR={SCRATCH}"]
    assert not {"DeviceRequests", "Memory", "Privileged"} & {name for name, value in host.items() if value}


def test_a_container_writes_the_runs_folder_alone_and_reads_table_and_pictures(polyhead, docker, tiny, tmp_path):
    data = tiny()
    body = asked(polyhead, docker, "--out", "here", config=data.config)
    assert mounted(body) == {str(path): os.path.realpath(path) for path in (data.table, data.folder)}
    written = {target: Path(source) for source, target, _ in (one.split(":") for one in body["HostConfig"]["Binds"])}
    assert all(path.parent.parent == tmp_path / "here" for path in written.values())
    artifacts, scratch = written
    assert artifacts == str(written[artifacts])
    assert scratch == SCRATCH


def test_without_pictures_the_tables_folder_is_not_shown(polyhead, docker, tiny):
    """Only the table itself: what lies beside it is nobody's business."""
    data = tiny(features={"size": {"kind": "numeric"}})
    assert list(mounted(asked(polyhead, docker, config=data.config))) == [str(data.table)]


def test_an_image_root_and_former_shards_are_shown_and_links_are_followed(polyhead, docker, tiny, tmp_path):
    data = tiny(folder=tmp_path / "data", image_root="../pictures")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "pictures").symlink_to("elsewhere")
    (tmp_path / "here" / "shard").mkdir(parents=True)
    places = mounted(asked(polyhead, docker, "--out", "here", config=data.config))
    assert places == {
        str(data.table): str(data.table),
        str(tmp_path / "pictures"): str(tmp_path / "elsewhere"),
        str(tmp_path / "here" / "shard"): str(tmp_path / "here" / "shard"),
    }


def test_options_reach_the_container(polyhead, docker, tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("CREDENTIALS", str(tmp_path / "key.json"))
    (tmp_path / "key.json").write_text("{}")
    docker.images["mine:1"] = {}
    options = ("--image", "mine:1", "--gpus", "2", "--memory", "4g", "--network", "some")
    body = asked(polyhead, docker, *options, "--env", "CREDENTIALS", "--env", "A=b=c", config=tiny().config)
    host = body["HostConfig"]
    assert body["Image"] == "mine:1"
    assert (host["Memory"], host["NetworkMode"]) == (4 * 2**30, "some")
    assert [(one["Count"], one["Capabilities"]) for one in host["DeviceRequests"]] == [(2, [["gpu"]])]
    assert set(body["Env"]) == {
        f"CREDENTIALS={tmp_path / 'key.json'}",
        "A=b=c",
        f"TMPDIR={SCRATCH}",
        "POLYHEAD_PROGRESS=json",
    }
    assert str(tmp_path / "key.json") in mounted(body)


def test_all_gpus_come_with_the_image_for_them(polyhead, docker, tiny):
    docker.images[f"{DEFAULT_IMAGE}-gpu"] = {}
    body = asked(polyhead, docker, "--gpus", "all", config=tiny().config)
    assert body["Image"] == f"{DEFAULT_IMAGE}-gpu"
    assert [one["Count"] for one in body["HostConfig"]["DeviceRequests"]] == [-1]


def test_a_table_in_a_bucket_needs_the_network_and_the_hosts_certificates(
    polyhead, docker, tiny, tmp_path, monkeypatch
):
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("certificates")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    table = "gs://bucket/table.csv"
    body = asked(polyhead, docker, "--table", table, "--out", "here", config=tiny().config)
    assert body["HostConfig"].get("NetworkMode") != "none"
    assert mounted(body) == {str(bundle): str(bundle)}
    assert f"SSL_CERT_FILE={bundle}" in body["Env"]


@pytest.mark.parametrize("to", ["gs://bucket/models", "published"])
def test_a_place_to_publish_to_is_written_to(polyhead, docker, tiny, tmp_path, to):
    """A bucket over the network, a folder by a mount."""
    body = asked(polyhead, docker, "--out", "here", config=tiny(publish={"to": to, "ungated": True}).config)
    written = [mount["Target"] for mount in body["HostConfig"]["Mounts"] if not mount["ReadOnly"]]
    online = body["HostConfig"].get("NetworkMode") != "none"
    assert (written, online) == (([], True) if "://" in to else ([str(tmp_path / to)], False))


def test_under_rootless_docker_the_containers_root_is_the_user(polyhead, docker, tiny):
    docker.security.append("name=rootless")
    assert asked(polyhead, docker, config=tiny().config)["User"] == "0:0"


FAILURES = {
    "an exit code": (
        Container("boom\n", code=3),
        "stopped with exit code 3 and no error of its own; its last lines: [step-failed]\nboom\n",
    ),
    "gone at once": (Container(code=3, gone=True), "stopped with exit code 3 and no error of its own [step-failed]\n"),
    "nothing written": (Container(), "ended without its output [step-failed]\n"),
    "killed": (
        Container("Killed\n", code=137),
        "was killed (exit code 137), as happens when memory runs out [out-of-memory]\n"
        "    → give the Docker daemon more memory, or ",
    ),
    "out of memory": (
        Container("Killed\n", code=137, out_of_memory=True),
        "ran out of memory within the 2g of --memory and was killed [out-of-memory]\n"
        "    → give a larger --memory, or make ",
    ),
    "no GPU": (
        Container(refused='could not select device driver "" with capabilities: [[gpu]]'),
        'could not be started: could not select device driver "" with capabilities: [[gpu]] '
        "[container-not-started]\n    → the machine needs ",
    ),
}


@pytest.mark.parametrize("how", FAILURES)
def test_a_container_that_fails_is_named_with_all_that_is_known(polyhead, docker, tiny, how):
    """Also where KFP takes the container for a success, because it was gone before it asked."""
    container, message = FAILURES[how]
    docker.containers.append(container)
    memory = ("--memory", "2g") if container.out_of_memory else ()
    result = polyhead("run", tiny().config, "--runner", "docker", "--out", "here", *memory)
    assert (result.code, result.out) == (1, "")
    _, _, error = result.err.partition("error: a problem with the pipeline\n  step 'validate': ")
    assert error.startswith(message), result.err
    assert "Traceback" not in result.err
    assert len(docker.created) == 1


def test_a_steps_own_error_is_shown_as_its_own(polyhead, docker, tiny):
    """Exactly as from a process: without the exit code, and without KFP's words."""
    problem = {"code": "file-not-found", "what": "no such table", "where": "t.csv", "hint": "look"}
    prints = event(step="validate") + event(error="the data", problems=[problem])
    docker.containers.append(Container(prints, code=1))
    result = polyhead("run", tiny().config, "--runner", "docker", "--out", "here")
    assert (result.code, result.out) == (1, "")
    assert (
        result.err == "validate\nerror: a problem with the data\n  t.csv: no such table [file-not-found]\n    → look\n"
    )


def test_an_image_of_another_version_is_warned_of(polyhead, docker, tiny):
    docker.images[DEFAULT_IMAGE] = {VERSION: "0.0.7"}
    docker.containers.append(Container(code=1))
    error = polyhead("run", tiny().config, "--runner", "docker").err
    assert f"warning: the image {DEFAULT_IMAGE} has version 0.0.7, this is {package.__version__}\n" in error


def test_an_image_that_is_not_there_is_not_looked_for_elsewhere(polyhead, docker, tiny):
    result = polyhead("run", tiny().config, "--runner", "docker", "--image", "nothing:1", "--out", "here")
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        "error: a problem with the pipeline\n"
        "  nothing:1: no such image on this machine [image-not-found]\n"
        "    → build it with: make image; or docker pull it, or name another with --image\n"
    )
    assert docker.created == []
    assert not Path("here").exists()


@pytest.mark.parametrize(("table", "root", "missing"), [("none.csv", None, "none.csv"), (None, "none", "none")])
def test_what_cannot_be_mounted_is_named_before_any_container(polyhead, docker, tiny, tmp_path, table, root, missing):
    config = tiny(image_root=root).config
    result = polyhead("run", config, "--runner", "docker", *(("--table", table) if table else ()))
    assert (result.code, result.out) == (1, "")
    assert f"{tmp_path / missing}: no such file or folder [file-not-found]\n" in result.err
    assert docker.created == []


def test_no_daemon_is_an_error_that_names_it(polyhead, tiny, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    result = polyhead("run", tiny().config, "--runner", "docker", "--out", "here")
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        "error: a problem with the pipeline\n"
        "  unix:///nowhere/docker.sock: the Docker daemon does not answer [docker-unreachable]\n"
        "    → start it, or set DOCKER_HOST to the one to use\n"
    )
    assert not Path("here").exists()


def test_without_the_sdk_the_extra_is_named(tiny, tmp_path):
    """Also beside a folder called docker, which Python would import in its place."""
    config = tiny().config
    (tmp_path / "docker").mkdir()
    program = """
import sys
from importlib.machinery import PathFinder
class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name != "docker":
            return None
        places = [place for place in sys.path if "site-packages" not in place]
        return PathFinder.find_spec(name, places)
sys.meta_path.insert(0, Without)
from polyhead.cli import main
main()
"""
    arguments = ("run", str(config), "--runner", "docker", "--out", "here")
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: a problem with the pipeline\n  the Docker SDK is not installed [docker-not-installed]\n"
        "    → pip install 'polyhead[docker]'\n"
    )


WRONG_CALLS = [
    (("--image", "a"), "'--image': is for --runner docker"),
    (("--env", "A=b"), "'--env': is for --runner docker"),
    (("--runner", "docker", "--gpus", "none"), "'none' is neither a number of GPUs nor all"),
    (("--runner", "docker", "--gpus", "0"), "'0' is neither a number of GPUs nor all"),
    (("--runner", "docker", "--memory", "much"), "'much' is not a size such as 512m or 4g"),
    (("--runner", "docker", "--env", "NOT_SET_HERE"), "'NOT_SET_HERE' is not set here and has no =VALUE"),
    (("--runner", "docker", "--env", "=x"), "'=x' is not set here and has no =VALUE"),
]


@pytest.mark.parametrize(("options", "message"), WRONG_CALLS, ids=[" ".join(call) for call, _ in WRONG_CALLS])
def test_a_wrong_option_ends_with_2_before_anything_is_done(polyhead, tiny, tmp_path, options, message):
    config = tiny().config
    before = digests(tmp_path)
    result = polyhead("run", config, *options)
    assert (result.code, result.out) == (2, "")
    assert message in " ".join(result.err.replace("│", " ").split())
    assert digests(tmp_path) == before
