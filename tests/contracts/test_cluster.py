"""The section `cluster`: what it accepts, every mistake with its line, and no secret in the open."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from refusals import gist

from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.cluster import processors, seconds, size
from polyhead.contracts.config import json_schema, parse_config
from polyhead.contracts.secrets import is_secret
from polyhead.errors import ConfigError, Problem

HEAD = """\
table: t.csv
features: {size: {kind: numeric}}
targets: {price: {kind: regression}}
cluster:
"""


def problems_of(cluster: str) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        parse_config(f"{HEAD}  {cluster}", name="f")
    return caught.value.problems


@pytest.mark.parametrize(
    ("cluster", "where", "code", "values"),
    [
        ("cpu_limit: 4 cores", "f:5 cluster.cpu_limit",
         "invalid-format", ["4 cores", "4", "0.5", "500"]),
        ("cpu_limit: 0", "f:5 cluster.cpu_limit", "invalid-format", ["0", "4", "0.5", "500"]),
        ("memory_limit: 8GB", "f:5 cluster.memory_limit",
         "invalid-format", ["8GB", "8"]),
        ("memory: 8Gi", "f:5 cluster.memory", "unknown-key", ["memory", "memory_limit"]),
        ("{cpu_request: 2, cpu_limit: 1500m}", "f:4 cluster", "request-above-limit", ["2", "1500"]),
        ("{memory_request: 1Gi, memory_limit: 1G}", "f:4 cluster", "request-above-limit", ["1", "1"]),
        ("timeout: soon", "f:5 cluster.timeout",
         "invalid-format", ["soon", "90", "12"]),
        ("retry: {factor: 0.5}", "f:5 cluster.retry.factor",
         "out-of-range", ["1", "0.5"]),
        ("accelerator: {type: NVIDIA_L4}", "f:5 cluster.accelerator.type",
         "invalid-format", ["NVIDIA_L4"]),
        ("accelerator: {typ: nvidia-l4}", "f:5 cluster.accelerator.typ", "unknown-key", ["typ", "type"]),
        ("run_as_user: 0", "f:5 cluster.run_as_user", "out-of-range", ["1", "0"]),
        ("pipeline_root: /artifacts", "f:5 cluster.pipeline_root",
         "invalid-format", ["/artifacts"]),
        ("service_account: My_Account", "f:5 cluster.service_account",
         "invalid-format", ["My_Account"]),
        ("image_pull_secrets: [Registry]", "f:5 cluster.image_pull_secrets.0",
         "invalid-format", ["Registry"]),
        ("image_pull_policy: ifnotpresent", "f:5 cluster.image_pull_policy",
         "invalid-choice", ["ifnotpresent", "IfNotPresent"]),
        ("node_selector: {a b: c}", "f:5 cluster.node_selector.a b",
         "invalid-format", ["a b"]),
        ("tolerations: [{key: a, operatr: Exists}]", "f:5 cluster.tolerations.0.operatr",
         "unknown-key", ["operatr", "operator"]),
        ("tolerations: [{key: a, operator: Exists, value: b}]", "f:5 cluster.tolerations.0",
         "conflicting-keys", []),
        ("tolerations: [{value: b}]", "f:5 cluster.tolerations.0",
         "missing-key", []),
        ("tolerations: [{key: a, effect: NoSchedule, seconds: 3}]", "f:5 cluster.tolerations.0",
         "conflicting-keys", []),
        ("env: {A-B: c}", "f:5 cluster.env.A-B",
         "invalid-format", ["A-B"]),
        ("secrets: [{name: a}]", "f:5 cluster.secrets.0",
         "unused-source", []),
        ("secrets: [{name: a.b, mount: /a}]", "f:5 cluster.secrets.0",
         "invalid-format", ["a.b"]),
        ("volumes: [{claim: a, mount: data}]", "f:5 cluster.volumes.0.mount",
         "invalid-format", ["data"]),
        ("volumes: [{claim: a, mount: /data/../etc}]", "f:5 cluster.volumes.0.mount",
         "invalid-format", ["/data/../etc"]),
        ("volumes: [{claim: a, mount: /tmp/a}]", "f:5 cluster.volumes.0.mount",
         "mount-point-taken", ["/tmp/a"]),
        ("secrets: x", "f:5 cluster.secrets", "wrong-type", ["x"]),
        ("workspace: 50Gi", "f:5 cluster.workspace",
         "wrong-type", ["50Gi"]),
        ("steps: {trian: {}}", "f:5 cluster.steps.trian", "unknown-key", ["trian", "train"]),
        ("steps: {train: {memory_limt: 1Gi}}", "f:5 cluster.steps.train.memory_limt",
         "unknown-key", ["memory_limt", "memory_limit"]),
        ("steps: {train: {pipeline_root: gs://a}}", "f:5 cluster.steps.train.pipeline_root",
         "unknown-key", ["pipeline_root"]),
        ("steps: {validate: {caching: true}}", "f:5 cluster.steps.validate.caching",
         "never-cached", []),
        # a pod has each variable, folder and volume once
        ("{env: {A: b}, config_maps: [{name: a, env: {A: b}}]}", "f:5 cluster.config_maps.0.env.A",
         "given-twice", ["A"]),
        ("{secrets: [{name: a, env: {A: b}}], steps: {train: {env: {A: c}}}}", "f:5 cluster.steps.train.env.A",
         "given-twice", ["A"]),
        ("volumes: [{claim: a, mount: /a}, {claim: b, mount: /a}]", "f:5 cluster.volumes.1.mount",
         "given-twice", ["/a"]),
        ("{volumes: [{claim: a, mount: /a}], steps: {shard: {secrets: [{name: a, mount: /b}]}}}",
         "f:5 cluster.steps.shard.secrets.0", "given-twice", ["a"]),
        # secrets in the open, whose values are not shown
        ("env: {WANDB_API_KEY: 0123abcd}", "f:5 cluster.env.WANDB_API_KEY",
         "secret-in-plain-text", ["WANDB_API_KEY"]),
        ("steps: {train: {env: {PROXY: 'http://me:0123abcd@proxy'}}}", "f:5 cluster.steps.train.env.PROXY",
         "secret-in-plain-text", ["PROXY"]),
        ("env: {LIMIT: 12345678}", "f:5 cluster.env.LIMIT", "not-text", []),
    ],
)  # fmt: skip
def test_every_mistake_is_one_problem(cluster: str, where: str, code: str, values: list[str]) -> None:
    """Its place, the reason, what was received and what is near."""
    (problem,) = problems_of(cluster)
    assert gist(problem) == (where, code, values)


def test_no_value_of_a_secret_is_told() -> None:
    """Neither as text nor as a number, which is wrong twice."""
    found = problems_of("env: {DB_PASSWORD: 0123456789, API_TOKEN: abcdefghij}")
    assert len(found) == 3
    assert not any("123456789" in str(problem) or "abcdefghij" in str(problem) for problem in found)


@pytest.mark.parametrize(
    "name",
    [
        "WANDB_API_KEY", "API_TOKEN", "HF_TOKEN", "DB_PASSWORD", "DBPASSWORD", "AWS_SECRET_ACCESS_KEY", "KEY", "token",
        "GITHUBTOKEN", "AZURE_CREDENTIALS", "DB_PWD", "SSH_PASSPHRASE", "MY_SECRETS", "DB_PASS", "GITHUB_PAT", "JWT",
        "AUTH", "PROXY_AUTHORIZATION", "SMTP_CREDS", "REQUEST_SIGNATURE", "DATABASE_PASSPHRASE",
    ],
)  # fmt: skip
def test_names_of_secrets_are_known(name: str) -> None:
    """Whatever the value, if there is one, and it is not that of a switch."""
    assert is_secret(name, "x")
    assert not is_secret(name, "off")
    assert not is_secret(name, "")


@pytest.mark.parametrize(
    "name",
    [
        "TOKENIZERS_PARALLELISM", "KEYCLOAK_URL", "MONKEY", "LOG_LEVEL", "AWS_WEB_IDENTITY_TOKEN_FILE", "KEY_PATH",
        "GOOGLE_APPLICATION_CREDENTIALS", "SECRET_NAME", "TF_CPP_MIN_LOG_LEVEL", "HTTPS_PROXY",
        "AUTH_URL", "COMPASS", "BYPASS", "PATH", "PASSES", "AUTHOR", "SIGNAL",
    ],
)  # fmt: skip
def test_names_of_other_things_are_no_secrets(name: str) -> None:
    """A place or a name of a secret is none, nor is a word that only begins like one."""
    assert not is_secret(name, "/var/x")


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        ("postgres://me:pass@host/db", True),
        ("-----BEGIN PRIVATE KEY-----\nabc", True),
        ("-----BEGIN RSA PRIVATE KEY-----", True),
        ("-----BEGIN CERTIFICATE-----", False),
        ("http://proxy:3128", False),
        ("https://host/a@b:c", False),
        ("gs://bucket/path:1@2", False),
        ("gs://user:pass@bucket/t.csv", True),
        ("Bearer abc", True),
        ("bearer of bad news", False),
        ("Basic dXNlcjpwYXNz1234", True),
        ("basic usage", False),
        ("ghp_" + "a1B2" * 9, True),
        ("github_pat_" + "a1B2" * 12, True),
        ("AKIAIOSFODNN7EXAMPLE", True),
        ("glpat-" + "a1B2" * 5, True),
        ("hf_" + "a1B2" * 8, True),
        ("AIza" + "a1B2" * 9, True),
        ("xoxb-123456789012-abcdefghijkl", True),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", True),
        ("https://b.s3.amazonaws.com/t.csv?X-Amz-Credential=a&X-Amz-Signature=0f", True),
        ("https://storage.googleapis.com/b/t.csv?X-Goog-Signature=0f", True),
        ("https://a.blob.core.windows.net/c/t.csv?sv=2022&sig=0f%3D", True),
        ("https://host/t.csv?access_token=0f", True),
        ("https://host/t.csv?page=2&order=desc", False),
        ("registry.example/polyhead@sha256:" + "0123456789abcdef" * 4, False),
        ("2fa1b0c4-7c4c-4d8f-9a44-7f9a3a1f0e3a", False),
        ("gs://bucket/APARTMENTS/APACHE2server/houses-2024-01-01.parquet", False),
        ("--xla_gpu_cuda_data_dir=/usr/local/cuda", False),
    ],
)
def test_values_of_secrets_are_known(value: str, secret: bool) -> None:
    """A password in an address, a private key; not a port, a path or a certificate."""
    assert is_secret("A", value) is secret


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("table: gs://me:0123abcd@b/t.csv", "f:1 table"),
        ("table: https://h/t.csv?X-Amz-Signature=0123abcd", "f:1 table"),
        ("publish: {to: 's3://me:0123abcd@b/models', ungated: true}", "f:4 publish.to"),
        ("cluster: {volumes: [{claim: a, mount: /a, sub_path: ghp_0123abcd0123abcd0123abcd0123abcd0123}]}",
         "f:4 cluster.volumes.0.sub_path"),
        ("cluster: {env: {LEVEL: AKIAIOSFODNN7EXAMPLE}}", "f:4 cluster.env.LEVEL"),
    ],
)  # fmt: skip
def test_a_secret_anywhere_is_refused_and_not_shown(text: str, where: str) -> None:
    """With its place and what to do instead."""
    head = HEAD.replace("cluster:\n", "")
    whole = head.replace("table: t.csv", text) if text.startswith("table") else head + text
    with pytest.raises(ConfigError) as caught:
        parse_config(whole, name="f")
    (problem,) = [one for one in caught.value.problems if one.where == where]
    assert "secret" in problem.hint.lower()
    assert not any(part in str(caught.value) for part in ("0123abcd", "AKIA"))


@pytest.mark.parametrize(("text", "expected"), [("4", 4.0), ("0.5", 0.5), (".5", 0.5), ("500m", 0.5), ("1500m", 1.5)])
def test_processors(text: str, expected: float) -> None:
    """As Kubernetes counts them."""
    assert processors(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1Ki", 1024), ("512Mi", 536_870_912), ("8Gi", 8_589_934_592), ("1Ti", 1_099_511_627_776), ("500M", 500_000_000),
     ("2G", 2_000_000_000), ("1T", 10**12)],
)  # fmt: skip
def test_sizes(text: str, expected: int) -> None:
    """As Kubernetes counts them: powers of 1,000 and of 1,024."""
    assert size(text) == expected


@pytest.mark.parametrize(("text", "expected"), [("90s", 90), ("15m", 900), ("12h", 43_200), ("2d", 172_800)])
def test_durations(text: str, expected: int) -> None:
    """In seconds."""
    assert seconds(text) == expected


@pytest.mark.parametrize("written", ["4", "0.5", '"4"', "500m", "1e1"])
def test_processors_need_no_quotes(written: str) -> None:
    """YAML reads 4 as a number, and a user does not care."""
    limit = parse_config(f"{HEAD}  cpu_limit: {written}").cluster.cpu_limit
    assert limit is not None
    assert processors(limit) == float(written.strip('"').replace("500m", "0.5"))


_TEXTS = st.one_of(
    st.text(max_size=12),
    st.from_regex(r"[0-9.]{1,4}(m|Ki|Mi|Gi|G|M|GB|s|h|d|k|)", fullmatch=True),
    st.from_regex(r"[a-zA-Z0-9._/@:-]{1,20}", fullmatch=True),
)
_FIELDS = (
    "cpu_limit", "memory_limit", "shared_memory", "timeout", "image", "priority_class", "pipeline_root",
    "service_account",
)  # fmt: skip


@given(st.sampled_from(_FIELDS), _TEXTS)
def test_the_schema_and_the_parser_agree(field: str, text: str) -> None:
    """An editor marks a text exactly where `polyhead` refuses it."""
    sections: dict[str, Any] = {**yaml.safe_load(f"{HEAD}  {{}}"), "cluster": {field: text}}
    try:
        parse_config(json.dumps(sections))  # quoted: PyYAML would leave 08 bare, a number to us
        accepted = True
    except ConfigError:
        accepted = False
    if not any(ord(character) > 126 or ord(character) < 32 for character in text):
        assert _VALIDATOR.is_valid(sections) is accepted


_VALIDATOR = Draft202012Validator(json_schema())


def test_a_step_may_set_another_value_of_a_variable() -> None:
    """That is what settings of single steps are for."""
    cluster = parse_config(f"{HEAD}  env: {{LEVEL: info}}\n  steps: {{train: {{env: {{LEVEL: debug}}}}}}").cluster
    assert cluster.env == {"LEVEL": "info"}
    assert cluster.steps.train.env == {"LEVEL": "debug"}


def test_the_section_is_no_part_of_what_decides_the_data() -> None:
    """More memory makes no other shards."""
    plain = parse_config(HEAD.replace("cluster:\n", ""))
    assert parse_config(f"{HEAD}  memory_limit: 64Gi").fingerprint(ModelBundle) == plain.fingerprint(ModelBundle)
