"""A trained model as a service of Kubernetes: KServe's InferenceService, or TF Serving behind a Service.

KServe's own runtime for TensorFlow pins a server of 2021, so both name an image of the user's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from polyhead import __version__
from polyhead.contracts.bundle import SERVING_MODEL, ModelBundle
from polyhead.contracts.cluster import AbsolutePath, Cpu, Image, Memory, Name, ServiceName
from polyhead.errors import ArtifactError, Problem, SubmitError
from polyhead.storage.opened import opened_artifact
from polyhead.storage.places import is_remote
from polyhead_pipelines.compiling.documents import literal

Server = Literal["kserve", "tf-serving"]
SERVERS: tuple[Server, ...] = ("kserve", "tf-serving")

_BUNDLE = "/mnt/bundle"
_MODELS = "/models"
_HTTP, _REST, _GRPC = 8080, 8501, 8500
_USER = 1000


@dataclass(frozen=True)
class Service:
    """How a model is served in a cluster.

    Attributes:
        image: With `polyhead[serve]` for kserve, with TF Serving for tf-serving.
        name: Of the service, and what requests call the model.
        claim: A volume claim that has the bundle, `CLAIM:PATH`. Empty: none.
        service_account: Of the pod. Empty: the namespace's own.
        cpu: Processors, requested.
        memory: Requested, and the limit.
    """

    image: str
    name: str
    claim: str = ""
    service_account: str = ""
    cpu: str = "1"
    memory: str = "2Gi"


def image_folder(name: str) -> str:
    """Where an image for tf-serving has the SavedModel, unless a claim has it."""
    return f"{_MODELS}/{name}/1"


def service_manifest(server: Server, bundle: str, service: Service) -> list[dict[str, Any]]:
    """What `kubectl apply` takes to serve a bundle.

    Args:
        server: What serves it.
        bundle: The artifact of `train`, or a published version, here or in a bucket. With tf-serving and without a
            claim, the image has its SavedModel in `image_folder`.
        service: How.

    Raises:
        ArtifactError: `bundle` is none, or has no SavedModel.
        SubmitError: A name cannot be one, or the cluster does not see the bundle.
    """
    with opened_artifact(bundle, ModelBundle, ()) as directory:
        trained = ModelBundle.read(directory)
    if not any(name.startswith(f"{SERVING_MODEL}/") for name in trained.files):
        raise ArtifactError("no-serving-model", "has no SavedModel", where=bundle, hint="run polyhead train again")
    claim = _checked(server, bundle, service)
    place = service.claim or (bundle if is_remote(bundle) else "")
    annotations = {"polyhead/fingerprint": trained.fingerprint(), **({"polyhead/bundle": place} if place else {})}
    return _SERVERS[server](bundle, service, claim, annotations)


def _checked(server: Server, bundle: str, service: Service) -> tuple[str, str] | None:
    """The claim and the path in it, if there is one, of a service whose words can be what they are meant for."""
    claim, _, path = service.claim.partition(":")
    path = path.strip("/")
    words: list[tuple[str, Any, str]] = [("--image", Image, service.image), ("--name", ServiceName, service.name)]
    words += [("--cpu", Cpu, service.cpu), ("--memory", Memory, service.memory)]
    if service.claim:
        words += [("--claim", Name, claim), ("--claim", AbsolutePath, f"/bundle/{path}".rstrip("/"))]
    if service.service_account:
        words.append(("--service-account", Name, service.service_account))
    problems = [problem for where, kind, word in words for problem in _problems(where, kind, word)]
    if server == "kserve" and not service.claim and not is_remote(bundle):
        hint = "publish it to a bucket and give its place there, or give the claim that has it: --claim CLAIM:PATH"
        what = "is on this machine, which the cluster does not see"
        problems.append(Problem("bundle-out-of-reach", what, where=bundle, hint=hint))
    if problems:
        raise SubmitError(problems)
    return (claim, path) if service.claim else None


def _problems(where: str, kind: Any, word: str) -> Iterator[Problem]:
    """What is wrong with an option's word, by the type of the configuration's setting of the same meaning."""
    try:
        TypeAdapter(kind).validate_python(word)
    except ValidationError as error:
        for one in error.errors():
            cause = one["ctx"]["error"]
            yield Problem(cause.code, str(cause), where=where)


def _kserve(
    bundle: str, service: Service, claim: tuple[str, str] | None, annotations: Mapping[str, str]
) -> list[dict[str, Any]]:
    place = _BUNDLE if claim else bundle
    container = {
        **_container("kserve-container", service),
        "command": ["polyhead", "serve"],
        "args": [literal(place), "--host", "0.0.0.0", "--port", str(_HTTP), "--name", service.name],  # noqa: S104
        "ports": [{"containerPort": _HTTP, "protocol": "TCP"}],
        "env": [{"name": "HOME", "value": "/tmp"}],  # noqa: S108
        "readinessProbe": _probe("/v2/health/ready", _HTTP),
        "livenessProbe": {**_probe("/v2/health/live", _HTTP), "initialDelaySeconds": 120},
    }
    _mount(container, claim, _BUNDLE, "")
    predictor = {"minReplicas": 1, "containers": [container], "volumes": _volumes(claim), **_account(service)}
    return [
        {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {**_metadata(service.name), "annotations": dict(annotations)},
            "spec": {"predictor": predictor},
        }
    ]


def _tf_serving(
    bundle: str, service: Service, claim: tuple[str, str] | None, annotations: Mapping[str, str]
) -> list[dict[str, Any]]:
    del bundle
    state = f"/v1/models/{service.name}"
    container = {
        **_container("tf-serving", service),
        "command": ["tensorflow_model_server"],
        "args": [
            f"--port={_GRPC}",
            f"--rest_api_port={_REST}",
            f"--model_name={service.name}",
            f"--model_base_path={_MODELS}/{service.name}",
        ],
        "ports": [{"name": "grpc", "containerPort": _GRPC}, {"name": "rest", "containerPort": _REST}],
        "startupProbe": {**_probe(state, _REST), "failureThreshold": 60},
        "readinessProbe": _probe(state, _REST),
        "livenessProbe": {"tcpSocket": {"port": _GRPC}, "periodSeconds": 10},
    }
    _mount(container, claim, image_folder(service.name), SERVING_MODEL)
    labels = {"app.kubernetes.io/name": "polyhead", "app.kubernetes.io/instance": service.name}
    pod = {
        **_account(service),
        "enableServiceLinks": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": _volumes(claim),
    }
    metadata = _metadata(service.name)
    template = {"metadata": {"labels": metadata["labels"], "annotations": dict(annotations)}, "spec": pod}
    ports = [{"name": name, "port": port, "targetPort": name} for name, port in (("grpc", _GRPC), ("rest", _REST))]
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {**metadata, "annotations": dict(annotations)},
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
        },
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": labels, "ports": ports}},
    ]


_SERVERS = {"kserve": _kserve, "tf-serving": _tf_serving}


def _container(name: str, service: Service) -> dict[str, Any]:
    """What the containers have in common: they may change nothing but what is in /tmp."""
    return {
        "name": name,
        "image": service.image,
        "resources": {
            "requests": {"cpu": service.cpu, "memory": service.memory},
            "limits": {"memory": service.memory},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": _USER,
        },
        "volumeMounts": [{"name": "scratch", "mountPath": "/tmp"}],  # noqa: S108
    }


def _mount(container: dict[str, Any], claim: tuple[str, str] | None, place: str, below: str) -> None:
    """Give a container what is below a path of the claim."""
    if claim is None:
        return
    mount = {"name": "bundle", "mountPath": place, "readOnly": True}
    path = "/".join(part for part in (claim[1], below) if part)
    container["volumeMounts"].append({**mount, "subPath": path} if path else mount)


def _volumes(claim: tuple[str, str] | None) -> list[dict[str, Any]]:
    volumes: list[dict[str, Any]] = [{"name": "scratch", "emptyDir": {}}]
    if claim:
        volumes.append({"name": "bundle", "persistentVolumeClaim": {"claimName": claim[0], "readOnly": True}})
    return volumes


def _account(service: Service) -> dict[str, Any]:
    named = {"serviceAccountName": service.service_account} if service.service_account else {}
    return {**named, "automountServiceAccountToken": False}


def _probe(path: str, port: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": port}, "periodSeconds": 5, "timeoutSeconds": 5}


def _metadata(name: str) -> dict[str, Any]:
    labels = {
        "app.kubernetes.io/managed-by": "polyhead",
        "app.kubernetes.io/name": "polyhead",
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/version": __version__,
    }
    return {"name": name, "labels": labels}
