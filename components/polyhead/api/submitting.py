"""`submit`: a training on a cluster."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from polyhead.api.config import Config
from polyhead.api.fitting import Configuration
from polyhead.errors import ConfigError, PipelineError, did_you_mean
from polyhead.progress import quietly

if TYPE_CHECKING:
    from polyhead_pipelines.remote.definition import Definition
    from polyhead_pipelines.remote.server import Run as Started
    from polyhead_pipelines.remote.server import Server, Status


class Run:
    """A run on a server.

    Args:
        server: Where it is.
        started: What the server said of it first.
        definition: Its pipeline.
    """

    def __init__(self, server: Server, started: Started, definition: Definition) -> None:
        self._server = server
        self._started = started
        self._definition = definition
        self._status = started.status

    @property
    def run_id(self) -> str:
        """The server's id."""
        return self._started.run_id

    @property
    def link(self) -> str:
        """Where a browser shows it."""
        return self._started.link

    @property
    def state(self) -> str:
        """What the server said last, such as `PENDING`, `RUNNING`, `SUCCEEDED`, `FAILED` or `CANCELED`."""
        return self._status.state

    def status(self, *, seconds: float = 60.0) -> Status:
        """Ask the server once.

        Args:
            seconds: The longest wait for its answer.

        Raises:
            SubmitError: It does not answer, or refuses.
        """
        self._status = self._server.status(self.run_id, self._definition, seconds)
        return self._status

    def wait(self, *, minutes: float | None = None, verbose: bool = True) -> Run:
        """Wait until the run has ended, and show how its steps go.

        Args:
            minutes: The longest wait. Default: as long as it takes.
            verbose: Whether to show it.

        Returns:
            This run, which succeeded.

        Raises:
            PipelineError: It failed, was cancelled, or has not ended in time; a problem for each step that failed.
            SubmitError: The server refuses to say.
        """
        from polyhead_pipelines.remote.waiting import explain, wait_for

        with quietly(not verbose):
            timeout = None if minutes is None else 60 * minutes
            self._status = wait_for(self._server, self._started, self._definition, timeout)
        if self._status.exit_code:
            raise PipelineError(explain(self._started, self._status))
        return self

    def __repr__(self) -> str:
        return f"<polyhead.Run {self.run_id} {self.state} {self.link}>"


def submit(
    config: Configuration,
    *,
    table: str | None = None,
    host: str = "",
    platform: str = "kfp",
    namespace: str = "",
    experiment: str = "Default",
    project: str = "",
    region: str = "",
    image: str | None = None,
    partitions: int | None = None,
    pipeline_root: str = "",
    service_account: str = "",
    run_name: str = "",
    run_id: str = "",
    cache: bool = True,
    token_file: str | Path | None = None,
    cookie_file: str | Path | None = None,
    ca_cert: str | Path | None = None,
    verbose: bool = True,
) -> Run:
    """Start a training on Kubeflow Pipelines or Vertex AI, as `polyhead submit` does.

    Args:
        config: From `infer`, the path of a YAML file, or its values as a dict.
        table: A place that the cluster can read. Default: the configuration's.
        host: The pipelines API. Default for kfp: KF_PIPELINES_ENDPOINT.
        platform: `kfp` or `vertex`.
        namespace: Yours, on a kfp server with several users.
        experiment: For kfp; created if missing.
        project: The Google Cloud project, for vertex.
        region: The region, for vertex.
        image: The container image of every step. Default: the configuration's, or that of this version.
        partitions: Workers that share a step's rows. Default: 1.
        pipeline_root: An object store for the artifacts. Default: the configuration's, or the server's.
        service_account: What the steps run as. Default: the configuration's, or the server's.
        run_name: Default: the pipeline's name and the time.
        run_id: Your id for the run: no second run is started under it.
        cache: Whether the server may take a step's result from an earlier run.
        token_file: Holds a bearer token; read again for every request.
        cookie_file: Holds a Cookie header, for kfp behind a login page.
        ca_cert: PEM file of certificate authorities to trust.
        verbose: Whether to show warnings.

    Returns:
        The run, to be waited for.

    Raises:
        ConfigError: The configuration is wrong, the platform cannot carry it, or there is no such platform.
        SubmitError: The server cannot be reached or refuses.
    """
    from polyhead_pipelines.platforms.table import REMOTE
    from polyhead_pipelines.remote.access import Access
    from polyhead_pipelines.remote.definition import compiled_definition
    from polyhead_pipelines.remote.platform import Connection
    from polyhead_pipelines.remote.request import Request, check_arguments

    if platform not in REMOTE:
        hint = did_you_mean(platform, list(REMOTE))
        raise ConfigError("invalid-choice", f"received '{platform}'", where="platform", hint=hint)
    chosen = REMOTE[platform]
    given = {"--host": host or chosen.default_host(), "--project": project, "--region": region}
    missing = [option.lstrip("-") for option in chosen.needed_options if not given.get(option, True)]
    if missing:
        raise ConfigError("missing-key", f"is missing for {platform}", where=", ".join(missing), hint="give it")
    with quietly(not verbose):
        options = {"table": table, "image": image, "partitions": partitions}
        definition = compiled_definition(
            Config.of(config).file(), chosen, pipeline_root=pipeline_root or None, options=options
        )
        definition = definition if cache else definition.without_cache()
        request = Request(
            definition,
            check_arguments(definition, [], pipeline_root),
            run_name=run_name or f"{definition.name} {datetime.now():%Y-%m-%d %H:%M:%S}",
            run_id=run_id,
            pipeline_root=pipeline_root,
            service_account=service_account or definition.service_account,
        )
        access = Access(*(None if path is None else Path(path) for path in (token_file, cookie_file, ca_cert)))
        server = chosen.connect(Connection(access, given["--host"], namespace, experiment, project, region))
        return Run(server, server.start(request), definition)
