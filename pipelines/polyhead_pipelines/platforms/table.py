"""Every platform by the name that `--platform` takes: one line each."""

from __future__ import annotations

from polyhead_pipelines.define.platform import Platform
from polyhead_pipelines.platforms.kfp import KubeflowPipelines
from polyhead_pipelines.platforms.kubernetes import Kubernetes
from polyhead_pipelines.platforms.local import Local
from polyhead_pipelines.platforms.vertex import VertexAI
from polyhead_pipelines.remote.platform import RemotePlatform

PLATFORMS: dict[str, Platform] = {
    platform.name: platform
    for platform in (
        KubeflowPipelines(),
        VertexAI(),
        Kubernetes(),
        Local(),
    )
}

REMOTE = {name: platform for name, platform in PLATFORMS.items() if isinstance(platform, RemotePlatform)}
"""Those that runs are submitted to."""
