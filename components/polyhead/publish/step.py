"""The publish step: copy a bundle that passed to its version's folder, and point `latest.json` to it."""

from __future__ import annotations

from pathlib import Path

from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.config import Config
from polyhead.contracts.evaluation import EvaluationReport
from polyhead.contracts.publication import Latest, Outcome, Publication, version_of
from polyhead.errors import ConfigError
from polyhead.progress import say
from polyhead.publish.refusals import check_bundle
from polyhead.publish.versions import move_latest, put_version, read_version
from polyhead.storage.artifact import close_artifact, new_artifact
from polyhead.storage.opened import Input, opens


@opens(bundle=Input(ModelBundle), evaluation=Input(EvaluationReport))
def run(
    *, config: Config, bundle: str | Path, evaluation: str | Path, destination: str = "", out: str | Path
) -> Publication:
    """Publish a bundle.

    A version comes into force once. Publishing a bundle again changes nothing, neither when it is in force nor when
    another has followed it: a repeated run does not undo what came after it, nor a rollback.

    Args:
        config: Its `publish` and `gate` sections; features and targets as the model was trained on them.
        bundle: The artifact of `train`.
        evaluation: The artifact of `evaluate` for this bundle.
        destination: The folder of versions: a local one, `gs://`, `s3://` or `minio://`. Default: `publish.to`.
        out: Where to write the artifact; see `polyhead.contracts.publication` for the files at both places.

    Raises:
        ArtifactError: The gate refused the bundle, the artifacts do not belong together (both fingerprints are named),
            the destination holds something else or cannot be written, or `out` holds something else.
        ConfigError: There is no destination.
    """
    bundle, evaluation, destination = Path(bundle), Path(evaluation), _destination(config, destination)
    trained, report = check_bundle(config, bundle, evaluation)
    fingerprint = trained.fingerprint()
    version = version_of(fingerprint)

    def follow(former: Latest | None) -> Latest | None:
        if former is not None and version in {release.version for release in former.history}:
            return None
        return Latest.after(former, fingerprint, report, rollback=False)

    with new_artifact(out, Publication) as directory:
        match put_version(destination, trained, bundle, evaluation):
            case "missing":
                say(f"copied to {destination}/{version}")
            case "damaged":
                say(f"version {version} at {destination} was damaged and has been repaired")
        latest, moved = move_latest(destination, follow)
        outcome: Outcome = "published" if moved else "unchanged" if latest.version == version else "superseded"
        publication = _publication(destination, version, outcome, latest, report)
        publication = close_artifact(directory, publication)
    say(_sentence(publication))
    return publication


def roll_back(*, config: Config, version: str, destination: str = "") -> Publication:
    """Put a version in force that was published before.

    Args:
        config: Its `publish` section.
        version: The version, whole, as its folder is called.
        destination: The folder of versions. Default: `publish.to`.

    Raises:
        ArtifactError: There is no such version, or the destination cannot be written.
        ConfigError: There is no destination.
    """
    destination = _destination(config, destination)
    fingerprint, report = read_version(destination, version)

    def follow(former: Latest | None) -> Latest | None:
        if former is not None and former.version == version:
            return None
        return Latest.after(former, fingerprint, report, rollback=True)

    latest, moved = move_latest(destination, follow)
    publication = _publication(destination, version, "rolled back" if moved else "unchanged", latest, report)
    say(_sentence(publication))
    return publication


def _destination(config: Config, given: str) -> str:
    destination = given or config.publish.to
    if not destination:
        raise ConfigError(
            "no-destination", "does not name a destination", where="publish.to", hint="add it, or give --to PLACE"
        )
    return destination.rstrip("/")


def _publication(
    destination: str, version: str, outcome: Outcome, latest: Latest, report: EvaluationReport
) -> Publication:
    return Publication(
        made_from={**report.made_from, "evaluation": report.fingerprint()},
        destination=destination,
        version=version,
        place=f"{destination}/{version}",
        outcome=outcome,
        latest=latest.version,
        sequence=latest.sequence,
    )


def _sentence(publication: Publication) -> str:
    version, sequence = publication.version, publication.sequence
    return {
        "published": f"version {version} is in force at {publication.destination}, release {sequence}",
        "unchanged": f"nothing to do: version {version} is in force already, release {sequence}",
        "superseded": f"nothing to do: version {version} was in force before {publication.latest}, release {sequence}; "
        f"to put it in front again: polyhead rollback CONFIG {version}",
        "rolled back": f"version {version} is in force again at {publication.destination}, release {sequence}",
    }[publication.outcome]
