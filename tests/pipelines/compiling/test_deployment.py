"""The manifests of `deploy`: valid to Kubernetes' own schemas, with an image of the user's and nothing to forbid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from polyhead.contracts.bundle import ModelBundle
from polyhead.storage.artifact import close_artifact

VERSIONS = ("1.25.0", "1.31.0")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle with as much in it as is looked at."""
    folder = tmp_path / "T"
    (folder / "serving").mkdir(parents=True)
    (folder / "serving" / "saved_model.pb").write_bytes(b"graph")
    empty: Any = {name: {} for name in ("sizes", "corrections", "ensemble", "calibrations", "decisions")}
    numbers: Any = {"parameters": 1, "epochs": 1, "best_epoch": 1, "best_score": 0.5, "seed": 0}
    close_artifact(folder, ModelBundle(made_from={}, heads={"price": "regression"}, warnings=[], **empty, **numbers))
    return folder


def deployed(polyhead: Any, bundle: Path, *options: str) -> list[dict[str, Any]]:
    result = polyhead("deploy", bundle, *options)
    assert result.code == 0, result.err
    return list(yaml.safe_load_all(result.out))


def as_pod(predictor: dict[str, Any]) -> dict[str, Any]:
    """KServe's predictor is the specification of a pod with a few words of its own."""
    spec = {key: value for key, value in predictor.items() if key != "minReplicas"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": spec}


def check_restricted(container: dict[str, Any]) -> None:
    context = container["securityContext"]
    assert context["runAsNonRoot"]
    assert context["readOnlyRootFilesystem"]
    assert not context["allowPrivilegeEscalation"]
    assert container["resources"]["limits"]["memory"] == container["resources"]["requests"]["memory"]
    assert {"readinessProbe", "livenessProbe"} <= set(container)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("claim", [(), ("--claim", "models:mugs/train")])
def test_tf_serving_is_a_deployment_behind_a_service(polyhead: Any, bundle: Path, claim: Any, version: str) -> None:
    """Strictly by the schemas; the selector finds the pods, and the ports are those that the server is told."""
    options = ("--to", "tf-serving", "--image", "tensorflow/serving:2.19.1", "--name", "mugs", "--memory", "4Gi")
    deployment, service = deployed(polyhead, bundle, *options, *claim)
    for document in (deployment, service):
        kubernetes_validate.validate(document, version, strict=True)
    pod = deployment["spec"]["template"]
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    (container,) = pod["spec"]["containers"]
    check_restricted(container)
    assert container["image"] == "tensorflow/serving:2.19.1"
    assert container["resources"]["limits"]["memory"] == "4Gi"
    assert "--model_base_path=/models/mugs" in container["args"]
    assert container["readinessProbe"]["httpGet"] == {"path": "/v1/models/mugs", "port": 8501}
    mounts = {mount["mountPath"]: mount.get("subPath") for mount in container["volumeMounts"]}
    assert mounts == {"/tmp": None, **({"/models/mugs/1": "mugs/train/serving"} if claim else {})}
    fingerprint = ModelBundle.read(bundle).fingerprint()
    assert pod["metadata"]["annotations"]["polyhead/fingerprint"] == fingerprint
    assert str(bundle) not in yaml.safe_dump([deployment, service])


@pytest.mark.parametrize("version", VERSIONS)
def test_kserve_runs_an_image_of_its_own(polyhead: Any, bundle: Path, version: str) -> None:
    """Not KServe's runtime for TensorFlow: the container is named as KServe asks, and is `polyhead serve`."""
    options = ("--to", "kserve", "--image", "mugs:1", "--claim", "models:$(x)/train", "--service-account", "reader")
    (document,) = deployed(polyhead, bundle, *options)
    assert (document["apiVersion"], document["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    predictor = document["spec"]["predictor"]
    kubernetes_validate.validate(as_pod(predictor), version, strict=True)
    (container,) = predictor["containers"]
    check_restricted(container)
    assert (container["name"], container["image"]) == ("kserve-container", "mugs:1")
    assert "model" not in predictor
    assert container["command"] == ["polyhead", "serve"]
    assert container["args"][:3] == ["/mnt/bundle", "--host", "0.0.0.0"]
    assert container["ports"][0]["containerPort"] == container["readinessProbe"]["httpGet"]["port"] == 8080
    assert predictor["serviceAccountName"] == "reader"
    assert not predictor["automountServiceAccountToken"]


def test_the_schema_check_can_fail(polyhead: Any, bundle: Path) -> None:
    (document,) = deployed(polyhead, bundle, "--to", "kserve", "--image", "mugs:1", "--claim", "models:train")
    document["spec"]["predictor"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readinesProbe"):
        kubernetes_validate.validate(as_pod(document["spec"]["predictor"]), "1.31.0", strict=True)


def test_a_file_and_the_same_as_json(polyhead: Any, bundle: Path, tmp_path: Path) -> None:
    options = ("--to", "tf-serving", "--image", "mugs:1", "-o", "mugs.yaml", "--json")
    result = polyhead("deploy", bundle, *options)
    said = json.loads(result.out)
    assert said["manifest"] == "mugs.yaml"
    assert said["documents"] == list(yaml.safe_load_all((tmp_path / "mugs.yaml").read_text(encoding="utf-8")))
    assert "/models/model/1" in result.err


def test_what_cannot_be_deployed(polyhead: Any, bundle: Path) -> None:
    """All that is wrong at once, and a bundle that the cluster does not see."""
    options = ("--image", "a b", "--name", "A_b", "--memory", "lots", "--cpu", "x", "--json")
    problems = json.loads(polyhead("deploy", bundle, "--to", "kserve", *options).out)["problems"]
    assert [(one["code"], one["where"]) for one in problems] == [
        *(("invalid-format", option) for option in ("--image", "--name", "--cpu", "--memory")),
        ("bundle-out-of-reach", str(bundle)),
    ]
    outside = polyhead("deploy", bundle, "--to", "kserve", "--image", "a", "--claim", "models:../x", "--json")
    assert json.loads(outside.out)["problems"][0]["where"] == "--claim"
    assert polyhead("deploy", bundle, "--to", "elsewhere", "--image", "a").code == 2
    without = json.loads(polyhead("deploy", bundle.parent, "--to", "kserve", "--image", "a", "--json").out)
    assert without["problems"][0]["code"] == "artifact-not-found"
