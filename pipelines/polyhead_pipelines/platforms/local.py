"""This machine, whose steps are processes or containers of KFP's local runners: settings of a cluster do not apply."""

from __future__ import annotations

from polyhead.contracts.cluster import ClusterSection, StepSettings
from polyhead.contracts.document import Document
from polyhead.errors import Problem
from polyhead_pipelines.define.platform import Platform


class Local(Platform):
    """This machine. It gets which steps must not come from a cache, and nothing else."""

    name = "local"
    about = "pipeline for the local runners of the KFP SDK."
    summarises = False
    elsewhere = False

    def carries(self, setting: str) -> str:
        """Nothing in `cluster` holds here."""
        return "ignored: the steps are processes of this machine"

    def carried(self, settings: StepSettings) -> StepSettings:
        """Whether a step may come from a cache."""
        return StepSettings(caching=settings.caching)

    def problems(self, cluster: ClusterSection, document: Document, root: str | None) -> list[Problem]:
        """None: what is not carried is not missed."""
        return []

    def warnings(self, cluster: ClusterSection, partitions: int = 1) -> list[str]:
        """None, as the user knows that this is not a cluster."""
        return []
