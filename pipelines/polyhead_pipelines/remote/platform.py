"""A platform with a server that runs are submitted to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from polyhead_pipelines.define.platform import Platform
from polyhead_pipelines.remote.access import Access
from polyhead_pipelines.remote.server import Server


@dataclass(frozen=True)
class Connection:
    """What leads to a server; each platform takes what it needs.

    Attributes:
        access: What opens it.
        host: The API's address; empty for the platform's own.
        namespace: The user's namespace, on a server for several users.
        experiment: The experiment that runs belong to.
        project: The project in a cloud.
        region: The cloud's region.
    """

    access: Access
    host: str = ""
    namespace: str = ""
    experiment: str = "Default"
    project: str = ""
    region: str = ""


class RemotePlatform(Platform, ABC):
    """A platform with a server.

    Attributes:
        needed_options: The options of `submit` without which no server is found.
        own_options: Those that mean nothing to other platforms.
    """

    needed_options: ClassVar[tuple[str, ...]]
    own_options: ClassVar[tuple[str, ...]]

    def default_host(self) -> str:
        """The API's address where the user gives none; empty for what the server knows itself."""
        return ""

    @abstractmethod
    def connect(self, connection: Connection) -> Server:
        """The server.

        Raises:
            SubmitError: What is given does not lead to one.
        """
