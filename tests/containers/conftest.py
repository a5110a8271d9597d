"""The `polyhead` fixture of `commandline`, and a daemon with an image.

POLYHEAD_TEST_IMAGE names the image, which holds this checkout; DOCKER_HOST the daemon. `.ci/containers` builds and runs
all of it. Without the image's name, the tests of this folder are skipped.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import docker
import pytest
from commandline import polyhead  # noqa: F401

IMAGE = os.environ.get("POLYHEAD_TEST_IMAGE", "")


@pytest.fixture(scope="session")
def image() -> str:
    """The image to test."""
    if not IMAGE:
        pytest.skip("POLYHEAD_TEST_IMAGE names no image: .ci/containers builds one and runs these tests")
    return IMAGE


@pytest.fixture(scope="session")
def client(image: str) -> Iterator[docker.DockerClient]:
    """The daemon, which must be there when an image is named."""
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture
def shell(client: docker.DockerClient, image: str) -> Callable[..., str]:
    """Runs a script in a container as a cluster with strict rules would; returns what it prints to stdout.

    `shell("id -u", user="1:1")` takes any option of the Docker SDK; `python=True` makes it a Python script.
    """

    def run(script: str, *, python: bool = False, **options: object) -> str:
        strict = {
            "cap_drop": ["ALL"],
            "entrypoint": ["python3", "-c"] if python else ["sh", "-euc"],
            "network_mode": "none",
            "read_only": True,
            "remove": True,
            "security_opt": ["no-new-privileges"],
            "tmpfs": {"/tmp": "size=64m,mode=1777"},
        }
        return client.containers.run(image, [script], **{**strict, **options}).decode()

    return run
