"""`polyhead schema`: a JSON Schema that says yes and no where the parser does."""

from __future__ import annotations

import copy
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = files("polyhead.sample").joinpath("polyhead.yaml").read_text(encoding="utf-8")
HOUSES = (ROOT / "pipelines" / "configs" / "houses.yaml").read_text(encoding="utf-8")


@pytest.fixture
def schema(polyhead) -> dict[str, Any]:
    result = polyhead("schema")
    assert (result.code, result.err) == (0, "")
    return json.loads(result.out)


@pytest.fixture
def validator(schema: dict[str, Any]) -> Draft202012Validator:
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_the_schema_names_its_draft_and_the_sections_it_needs(schema):
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["required"] == ["table", "features", "targets"]


@pytest.mark.parametrize("text", [SAMPLE, HOUSES], ids=["sample", "houses"])
def test_our_own_configurations_are_valid(validator, text):
    assert list(validator.iter_errors(yaml.safe_load(text))) == []


@pytest.mark.parametrize(
    "path",
    [
        (),
        ("features", "photo"),
        ("features", "clay"),
        ("targets", "price"),
        ("split",),
        ("split", "fractions"),
        ("train",),
    ],
    ids=lambda path: ".".join(path) or "top",
)
def test_an_unknown_key_is_refused_at_every_depth(validator, path):
    config = yaml.safe_load(SAMPLE)
    place = config
    for part in path:
        place = place[part]
    place["epoch"] = 3
    errors = list(validator.iter_errors(config))
    assert len(errors) == 1
    assert "epoch" in errors[0].message


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("features", "photo", "kind"), "picture"),
        (("features", "photo", "size"), [4, 48]),
        (("features", "photo", "size"), [48, 48, 3]),
        (("targets", "price", "transform"), "cube"),
        (("targets", "returned", "class_weight"), {"yes": 0}),
        (("train", "epochs"), 0),
        (("train", "epochs"), "many"),
        (("features",), {}),
        (("table",), None),
        (("gate", "price"), {"r2": 0.5}),
    ],
)
def test_a_wrong_value_is_refused(validator, path, value):
    config: Any = copy.deepcopy(yaml.safe_load(SAMPLE))
    *parents, last = path
    place = config
    for part in parents:
        place = place[part]
    place[last] = value
    assert not validator.is_valid(config)


@pytest.mark.parametrize("key", ["table", "features", "targets"])
def test_the_three_sections_are_required(validator, key):
    config = yaml.safe_load(SAMPLE)
    del config[key]
    assert [error.message for error in validator.iter_errors(config)] == [f"'{key}' is a required property"]
