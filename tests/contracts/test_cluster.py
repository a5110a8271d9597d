"""The section `cluster`: what it accepts, every mistake with its line, and no secret in the open."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

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
    ("cluster", "where", "what", "hint"),
    [
        ("cpu_limit: 4 cores", "f:5 cluster.cpu_limit",
         "received '4 cores': write processors, such as 4, 0.5 or 500m", ""),
        ("cpu_limit: 0", "f:5 cluster.cpu_limit", "received '0': write processors, such as 4, 0.5 or 500m", ""),
        ("memory_limit: 8GB", "f:5 cluster.memory_limit",
         "received '8GB': write a whole number and one of M, G, T, Ki, Mi, Gi, Ti, such as 8Gi", ""),
        ("memory: 8Gi", "f:5 cluster.memory", "unknown key 'memory'", "did you mean 'memory_limit'?"),
        ("{cpu_request: 2, cpu_limit: 1500m}", "f:4 cluster", "cpu_request 2 is above cpu_limit 1500m", ""),
        ("{memory_request: 1Gi, memory_limit: 1G}", "f:4 cluster", "memory_request 1Gi is above memory_limit 1G", ""),
        ("timeout: soon", "f:5 cluster.timeout",
         "received 'soon': write a whole number and one of s, m, h, d, such as 90s or 12h", ""),
        ("retry: {factor: 0.5}", "f:5 cluster.retry.factor",
         "input should be greater than or equal to 1, received 0.5", ""),
        ("accelerator: {type: NVIDIA_L4}", "f:5 cluster.accelerator.type",
         "received 'NVIDIA_L4': write small letters and dashes, such as nvidia-l4 or nvidia-tesla-t4", ""),
        ("accelerator: {typ: nvidia-l4}", "f:5 cluster.accelerator.typ", "unknown key 'typ'", "did you mean 'type'?"),
        ("run_as_user: 0", "f:5 cluster.run_as_user", "input should be greater than or equal to 1, received 0", ""),
        ("pipeline_root: /artifacts", "f:5 cluster.pipeline_root",
         "received '/artifacts': write gs://bucket/path, s3://… or minio://…", ""),
        ("service_account: My_Account", "f:5 cluster.service_account",
         "received 'My_Account': write a Kubernetes name or name@project.iam…", ""),
        ("image_pull_secrets: [Registry]", "f:5 cluster.image_pull_secrets.0",
         "received 'Registry': a Kubernetes name has small letters, digits, - and . only", ""),
        ("image_pull_policy: ifnotpresent", "f:5 cluster.image_pull_policy", "received 'ifnotpresent'",
         "did you mean 'IfNotPresent'?"),
        ("node_selector: {a b: c}", "f:5 cluster.node_selector.a b",
         "received 'a b': write a node label, such as topology.kubernetes.io/zone", ""),
        ("tolerations: [{key: a, operatr: Exists}]", "f:5 cluster.tolerations.0.operatr", "unknown key 'operatr'",
         "did you mean 'operator'?"),
        ("tolerations: [{key: a, operator: Exists, value: b}]", "f:5 cluster.tolerations.0",
         "operator: Exists takes no value: remove it, or write operator: Equal", ""),
        ("tolerations: [{value: b}]", "f:5 cluster.tolerations.0",
         "no key: add one, or write operator: Exists for every taint", ""),
        ("tolerations: [{key: a, effect: NoSchedule, seconds: 3}]", "f:5 cluster.tolerations.0",
         "seconds counts for effect: NoExecute only", ""),
        ("env: {A-B: c}", "f:5 cluster.env.A-B",
         "received 'A-B': a variable's name has letters, digits and _ only, no digit first", ""),
        ("secrets: [{name: a}]", "f:5 cluster.secrets.0",
         "is not used: give env, {VARIABLE: key}, or mount, a folder", ""),
        ("secrets: [{name: a.b, mount: /a}]", "f:5 cluster.secrets.0",
         "'a.b' becomes a volume, whose name has small letters, digits and - only", ""),
        ("volumes: [{claim: a, mount: data}]", "f:5 cluster.volumes.0.mount",
         "received 'data': write an absolute path, such as /data", ""),
        ("volumes: [{claim: a, mount: /data/../etc}]", "f:5 cluster.volumes.0.mount",
         "received '/data/../etc': write an absolute path, such as /data", ""),
        ("volumes: [{claim: a, mount: /tmp/a}]", "f:5 cluster.volumes.0.mount",
         "received '/tmp/a', where something else is mounted already", "give another folder, such as /data"),
        ("secrets: x", "f:5 cluster.secrets", "input should be a valid list, received 'x'", "give a list: [a, b]"),
        ("workspace: 50Gi", "f:5 cluster.workspace",
         "input should be a valid dictionary or instance of Workspace, received '50Gi'", "give keys and values"),
        ("steps: {trian: {}}", "f:5 cluster.steps.trian", "unknown key 'trian'", "did you mean 'train'?"),
        ("steps: {train: {memory_limt: 1Gi}}", "f:5 cluster.steps.train.memory_limt", "unknown key 'memory_limt'",
         "did you mean 'memory_limit'?"),
        ("steps: {train: {pipeline_root: gs://a}}", "f:5 cluster.steps.train.pipeline_root",
         "unknown key 'pipeline_root'", "one of: image, cpu_request, cpu_limit, memory_request, memory_limit, "
         "accelerator, shared_memory, disk, retry, timeout, caching, run_as_user, …"),
        ("steps: {validate: {caching: true}}", "f:5 cluster.steps.validate.caching",
         "validate is never cached: it reads or writes places that change under the same name", "remove it"),
        # a pod has each variable, folder and volume once
        ("{env: {A: b}, config_maps: [{name: a, env: {A: b}}]}", "f:5 cluster.config_maps.0.env.A",
         "variable 'A' is also given by cluster.env.A", "a pod has it once: remove one"),
        ("{secrets: [{name: a, env: {A: b}}], steps: {train: {env: {A: c}}}}", "f:5 cluster.steps.train.env.A",
         "variable 'A' is also given by cluster.secrets.0.env.A", "a pod has it once: remove one"),
        ("volumes: [{claim: a, mount: /a}, {claim: b, mount: /a}]", "f:5 cluster.volumes.1.mount",
         "folder '/a' is also given by cluster.volumes.0.mount", "a pod has it once: remove one"),
        ("{volumes: [{claim: a, mount: /a}], steps: {shard: {secrets: [{name: a, mount: /b}]}}}",
         "f:5 cluster.steps.shard.secrets.0", "volume 'a' is also given by cluster.volumes.0",
         "a pod has it once: remove one"),
        # secrets in the open, whose values are not shown
        ("env: {WANDB_API_KEY: 0123abcd}", "f:5 cluster.env.WANDB_API_KEY",
         "'WANDB_API_KEY' would stand in plain text, for anybody to read",
         "put it in a Secret of the cluster: secrets: [{name: …, env: {WANDB_API_KEY: key}}]"),
        ("steps: {train: {env: {PROXY: 'http://me:0123abcd@proxy'}}}", "f:5 cluster.steps.train.env.PROXY",
         "'PROXY' would stand in plain text, for anybody to read",
         "put it in a Secret of the cluster: secrets: [{name: …, env: {PROXY: key}}]"),
        ("env: {LIMIT: 12345678}", "f:5 cluster.env.LIMIT", "is not text", "put it in quotes"),
    ],
)  # fmt: skip
def test_every_mistake_reads_well(cluster: str, where: str, what: str, hint: str) -> None:
    """One mistake is one problem: its place, what was received, what to do."""
    (problem,) = problems_of(cluster)
    assert (problem.where, problem.what, problem.hint) == (where, what, hint)


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
