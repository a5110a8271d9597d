"""`polyhead publish`, `polyhead rollback`, the component, and what the configuration may say of them."""

import contextlib
import io
import json
from pathlib import Path

import pytest
from kfp import dsl, local

from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.config import parse_config
from polyhead.contracts.publication import Publication
from polyhead.errors import ConfigError
from polyhead.publish.component import component


def options(model):
    """What `publish` needs besides a destination."""
    return (model.file, "--bundle", model.bundle, "--evaluation", model.evaluation, "--out", "P")


def test_publish_takes_the_configs_destination_from_the_configs_folder(polyhead, trained, tmp_path):
    """Wherever it is called, and stdout is the contract."""
    model = trained(publish={"to": "../shelf"})
    result = polyhead("publish", *options(model), "--json")
    assert result.code == 0, result.err
    assert result.out == (tmp_path / "P" / "Publication.json").read_text(encoding="utf-8")
    assert (tmp_path / "shelf" / model.version / "core.keras").is_file()
    assert f"version {model.version} is in force at {tmp_path}/shelf, release 1\n" in result.err
    assert result.err.splitlines()[0] == "publish"


def test_to_replaces_the_configs_destination(polyhead, trained, tmp_path):
    """It is as typed, and what came of it is printed."""
    model = trained(publish={"to": "../shelf"})
    result = polyhead("publish", *options(model), "--to", "elsewhere")
    assert result.code == 0, result.err
    assert result.out == (
        f"version:  {model.version}, published\n"
        f"place:    elsewhere/{model.version}\n"
        f"in force: {model.version}, release 1\n"
        "out:      P\n"
    )
    assert sorted(path.name for path in (tmp_path / "elsewhere").iterdir()) == sorted([model.version, "latest.json"])
    assert not (tmp_path / "shelf").exists()


def test_rollback_puts_a_version_in_front_again(polyhead, trained, tmp_path):
    """And prints what it did."""
    first, second = trained("first"), trained("second")
    for model in (first, second):
        assert polyhead("publish", *options(model), "--to", "shelf").code == 0
    result = polyhead("rollback", first.file, first.version, "--to", "shelf", "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["outcome"] == "rolled back"
    assert json.loads((tmp_path / "shelf" / "latest.json").read_text())["version"] == first.version
    assert result.err == f"  version {first.version} is in force again at shelf, release 3\n"


def test_a_refusal_is_told_with_code_1(polyhead, trained, tmp_path):
    """Every failed rule in a line, no traceback, nothing published."""
    model = trained(r2=0.5, mae=60.0)
    result = polyhead("publish", *options(model), "--to", "shelf")
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        "publish\nerror: 2 problems with an artifact\n"
        f"  {model.evaluation}: did not pass the gate: price.r2 is 0.5, the rule is >= 0.6 [gate-failed]\n"
        f"  {model.evaluation}: did not pass the gate: price.mae is 60, the rule is beats baseline: "
        "worse than the baseline: it differs by +10.0, 95 % interval 5.00 to 15.0 [gate-failed]\n"
    )
    assert not (tmp_path / "shelf").exists()


BASE = "table: t.csv\nfeatures: {a: {kind: numeric}}\ntargets: {b: {kind: binary}}\n"
GATE = "gate: {b: {accuracy: '>= 0.9'}}\n"


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("publish: {to: m}\n", "config:4 publish.to: there is no gate to pass (add rules to gate, or write "),
        ("gate: {}\npublish: {to: gs://b/m, ungated: false}\n", "config:5 publish.to: there is no gate to pass"),
        (f"{GATE}publish: {{to: ftp://host/m}}\n", "publish: cannot publish to ftp://host/m: give a local path, gs://"),
        (f"{GATE}publish: {{to: 'gs:///m'}}\n", "publish: cannot publish to gs:///m: "),
        (f"{GATE}publish: {{where: m}}\n", "publish.where: unknown key 'where'"),
        (f"{GATE}publish: {{to: ''}}\n", "publish.to: "),
    ],
)
def test_what_could_never_be_published_is_told_before_training(section, message):
    """A missing gate and a place that nothing can write are mistakes of the configuration."""
    with pytest.raises(ConfigError) as caught:
        parse_config(BASE + section)
    assert len(caught.value.problems) == 1
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "section",
    [
        f"{GATE}publish: {{to: s3://b/m}}\n",
        f"{GATE}publish: {{to: minio://b}}\n",
        f"{GATE}publish: {{to: ../models}}\n",
        "publish: {to: m, ungated: true}\n",
        "publish: {ungated: true}\n",
        "publish: {}\n",
    ],
)
def test_where_a_model_goes_does_not_outdate_its_data(section):
    """The artifacts of the steps before stay good."""
    assert parse_config(BASE + section).fingerprint(ModelBundle) == parse_config(BASE).fingerprint(ModelBundle)


def test_the_component_publishes(trained, tmp_path, monkeypatch):
    """Under KFP's own runner, with the artifacts of earlier steps."""
    model, publish = trained(), component("python")

    @dsl.pipeline(name="publishing")
    def publishing(config: str, destination: str) -> None:
        bundle = dsl.importer(artifact_uri=str(model.bundle), artifact_class=dsl.Model)
        evaluation = dsl.importer(artifact_uri=str(model.evaluation), artifact_class=dsl.Artifact)
        publish(config=config, bundle=bundle.output, evaluation=evaluation.output, destination=destination)

    monkeypatch.chdir(tmp_path)
    root = tmp_path / "root"
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(root), workspace_root=str(tmp_path / "w"))
    with contextlib.redirect_stdout(io.StringIO()):
        publishing(config=model.file.read_text(), destination=str(tmp_path / "shelf"))
    (out,) = root.glob("publishing-*/publish/publication")
    assert Publication.read(out).outcome == "published"
    assert Path(Publication.read(out).place, "ModelBundle.json").is_file()
