"""`polyhead.yaml`: what it accepts, and every mistake told with its place, what was received and the nearest word."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from refusals import gist, refusal
from strategies import yaml_values

from polyhead.contracts.artifact import Contract
from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.config import Config, json_schema, load_config, parse_config, require_config
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.contracts.section import Decides, Section
from polyhead.contracts.splits import SplitSection
from polyhead.contracts.validation import ValidationReport
from polyhead.errors import ArtifactError, ConfigError, Problem
from polyhead.kinds.features.image.config import Encoder, ImageFeature
from polyhead.kinds.features.numeric.config import NumericFeature
from polyhead.kinds.union import FEATURES, METRIC_NAMES, TARGETS

DESIGN = """\
table: houses.csv
image_root: .
key: house_id
features:
  frontal:  {kind: image, size: [128, 128]}
  area:     {kind: numeric}
  zipcode:  {kind: category}
  notes:    {kind: text, vectorizer: tfidf}
targets:
  price:      {kind: regression, transform: log}
  price_band: {kind: multiclass, class_weight: balanced, loss_weight: 0.5}
split: {column: split}
train: {epochs: 30, batch_size: 32, seed: 0}
evaluate: {slices: [zipcode]}
gate: {price: {r2: ">= 0.6"}, price_band: {accuracy: "beats baseline"}}
"""
MINIMAL = """\
table: t.csv
features:
  size: {kind: numeric}
  colour: {kind: category}
  photo: {kind: image}
targets:
  price: {kind: regression}
  shape: {kind: multiclass}
"""


def problems_of(text: str) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, name="f")
    return caught.value.problems


def only(text: str) -> tuple[str, str, list[str]]:
    (problem,) = problems_of(text)
    return gist(problem)


def test_the_designs_example_is_valid() -> None:
    """The file shown in the design reads as it says."""
    config = parse_config(DESIGN)
    assert config.columns == ["house_id", "frontal", "area", "zipcode", "notes", "price", "price_band", "split"]
    assert config.targets["price_band"].loss_weight == 0.5
    assert list(config.pictured) == ["frontal"]


def test_table_features_and_targets_are_enough() -> None:
    """Every other key has a default."""
    config = parse_config(MINIMAL)
    assert config.split.shares.model_dump() == {"train": 0.7, "val": 0.15, "test": 0.15}
    assert config.validate_.model_dump() == {
        "on_bad_row": "reject",
        "max_rejected": 0.1,
        "max_pixels": 100_000_000,
        "images": "header",
        "leakage": "warn",
    }
    assert config.key is None
    assert config.image_root is None


def test_column_renames() -> None:
    """`column` decouples a name from the table, in the file's order and without repeats."""
    config = parse_config(MINIMAL.replace("{kind: numeric}", "{kind: numeric, column: 'Größe (m²)'}"))
    assert config.column_of("size") == "Größe (m²)"
    assert config.column_of("price") == "price"
    assert config.columns == ["Größe (m²)", "colour", "photo", "price", "shape"]


def test_with_seed_changes_training_only() -> None:
    """The training seed is no part of what decides the data, and the split keeps its own."""
    config = parse_config(MINIMAL)
    other = config.with_seed(7)
    assert other.train.seed == 7
    assert other.split.seed == 0
    assert config.with_seed(None) is config
    assert other.fingerprint(ModelBundle) == config.fingerprint(ModelBundle)


DATA, FIT, MODEL = ValidationReport, Preprocessing, ModelBundle


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("table: t.csv", "table: other.csv", ()),
        ("table: t.csv", "table: t.csv\ntrain: {epochs: 3}", ()),
        ("table: t.csv", "table: t.csv\ngate: {price: {r2: '> 0'}}", ()),
        ("table: t.csv", "table: t.csv\nkey: id", (DATA, FIT, MODEL)),
        ("table: t.csv", "table: t.csv\nsplit: {column: part}", (DATA, FIT, MODEL)),
        ("table: t.csv", "table: t.csv\nsplit: {seed: 1}", (FIT, MODEL)),
        ("table: t.csv", "table: t.csv\nsplit: {group: who}", (DATA, FIT, MODEL)),
        ("table: t.csv", "table: t.csv\nsplit: {time: sold}", (DATA, FIT, MODEL)),
        ("table: t.csv", "table: t.csv\nsplit: {stratify: [price]}", (FIT, MODEL)),
        ("{kind: numeric}", "{kind: numeric, min: 0}", (DATA, FIT, MODEL)),
        ("{kind: numeric}", "{column: size2, kind: numeric}", (DATA, FIT, MODEL)),
        ("{kind: numeric}", "{kind: category}", (DATA, FIT, MODEL)),
        ("{kind: numeric}", "{kind: image}", (DATA, FIT, MODEL)),
        ("{kind: regression}", "{kind: regression, transform: log}", (DATA, FIT, MODEL)),
        ("{kind: regression}", "{kind: regression, loss: mse}", (MODEL,)),
        ("{kind: regression}", "{kind: regression, predict: mean}", (MODEL,)),
        ("{kind: regression}", "{kind: regression, loss_weight: 0.5}", (MODEL,)),
        ("{kind: regression}", "{kind: regression, confidence: 0.8}", (MODEL,)),
    ],
)
def test_a_fingerprint_covers_what_decides_the_artifact(
    old: str, new: str, changed: tuple[type[Contract], ...]
) -> None:
    """What decides the data decides all, what decides the model decides nothing before it."""
    before, after = parse_config(MINIMAL), parse_config(MINIMAL.replace(old, new))
    assert tuple(kind for kind in (DATA, FIT, MODEL) if before.fingerprint(kind) != after.fingerprint(kind)) == changed


def test_an_option_that_earlier_artifacts_do_not_know_leaves_their_fingerprint_alone() -> None:
    """At its default `confidence` is not said, so bundles from before it go with the same configuration."""
    target = parse_config(MINIMAL).targets["price"]
    assert target.model_dump()["confidence"] == 0.9
    assert "confidence" not in target.deciding(MODEL.DECIDED_BY)
    assert "loss_weight" in target.deciding(MODEL.DECIDED_BY)


def test_how_an_encoder_trains_decides_the_model_alone() -> None:
    given = MINIMAL.replace("{kind: image}", "{kind: image, encoder: {backbone: n.keras}}")
    before, after = parse_config(given), parse_config(given.replace("n.keras", "n.keras, train: top"))
    assert before.fingerprint(FIT) == after.fingerprint(FIT)
    assert before.fingerprint(MODEL) != after.fingerprint(MODEL)
    assert after.features["photo"].decided(FIT.DECIDED_BY) == before.features["photo"]
    assert (before.features["photo"].is_encoded, after.features["photo"].is_encoded) == (True, False)


@pytest.mark.parametrize(
    ("split", "columns"),
    [
        ("{time: size}", []),
        ("{group: colour}", []),
        ("{time: {column: sold, format: '%Y'}}", ["sold"]),
        ("{column: part, names: {train: [train, dev], val: [valid], test: [test]}, group: who}", ["part", "who"]),
    ],
)
def test_the_columns_of_the_split_are_read_and_may_be_features(split: str, columns: list[str]) -> None:
    """Those of a group or a time."""
    plain, config = parse_config(MINIMAL), parse_config(f"{MINIMAL}split: {split}")
    assert config.columns == [*plain.columns, *columns]


@pytest.mark.parametrize(
    ("gap", "size"), [("2", 2.0), ("0.5", 0.5), ("30s", 30.0), ("15min", 900.0), ("1.5h", 5_400.0), ("2 d", 172_800.0),
                      ("1w", 604_800.0)],
)  # fmt: skip
def test_a_gap_is_a_number_or_a_duration(gap: str, size: float) -> None:
    """Of durations, seconds."""
    assert parse_config(f"{MINIMAL}split: {{time: sold, gap: {gap}}}").split.gap_size == size


@pytest.mark.parametrize("member", [*FEATURES.values(), *TARGETS.values(), SplitSection, Encoder])
def test_every_field_says_what_it_decides(member: type[Section]) -> None:
    """Unmarked fields would cost a new shard each time they change."""
    marks = {name: [m for m in field.metadata if isinstance(m, Decides)] for name, field in member.model_fields.items()}
    assert {name: len(found) for name, found in marks.items()} == dict.fromkeys(marks, 1)


@pytest.mark.parametrize(
    ("text", "where", "code", "values"),
    [
        # unknown keys, with the nearest valid one
        (MINIMAL + "tran: {epochs: 3}", "f:9 tran", "unknown-key", ["tran", "train"]),
        (MINIMAL + "train: {epoch: 3}", "f:9 train.epoch", "unknown-key", ["epoch", "epochs"]),
        (MINIMAL + "validate: {max_reject: 1}", "f:9 validate.max_reject",
         "unknown-key", ["max_reject", "max_rejected"]),
        (MINIMAL + "split: {fractions: {train: 0.8, vla: 0.1, val: 0.1, test: 0.1}}", "f:9 split.fractions.vla",
         "unknown-key", ["vla", "val"]),
        (MINIMAL.replace("{kind: numeric}", "{kind: numeric, minimum: 0}"), "f:3 features.size.minimum",
         "unknown-key", ["minimum", "min"]),
        (MINIMAL.replace("{kind: image}", "{kind: image, sizes: 8}"), "f:5 features.photo.sizes",
         "unknown-key", ["sizes", "size"]),
        (MINIMAL.replace("{kind: regression}", "{kind: regression, classweight: 8}"), "f:7 targets.price.classweight",
         "unknown-key", ["classweight", "loss_weight"]),
        # kinds
        (MINIMAL.replace("numeric", "numerical"), "f:3 features.size.kind", "unknown-kind", ["numerical", "numeric"]),
        (MINIMAL.replace("regression", "regresion"), "f:7 targets.price.kind",
         "unknown-kind", ["regresion", "regression"]),
        (MINIMAL.replace("regression", "numeric"), "f:7 targets.price.kind", "unknown-kind", ["numeric"]),
        (MINIMAL.replace("{kind: numeric}", "{min: 0}"), "f:3 features.size", "missing-kind", []),
        # sections and values of the wrong type
        ("features: {a: {kind: numeric}}\ntargets: {b: {kind: binary}}", "f table", "missing-key", []),
        ("table: t.csv\ntargets: {b: {kind: binary}}", "f features", "missing-key", []),
        (MINIMAL + "train: {optimizer: {}}", "f:9 train.optimizer", "unknown-key", ["optimizer"]),
        (MINIMAL + "train: {epochs: many}", "f:9 train.epochs",
         "wrong-type", ["many"]),
        (MINIMAL + "train: {epochs: 0}", "f:9 train.epochs",
         "out-of-range", ["1", "0"]),
        (MINIMAL + "train: {learning_rate: 1e999}", "f:9 train.learning_rate",
         "out-of-range", []),
        (MINIMAL + "validate: {on_bad_row: rejct}", "f:9 validate.on_bad_row", "invalid-choice", ["rejct", "reject"]),
        (MINIMAL + "validate: {max_rejected: 1.5}", "f:9 validate.max_rejected",
         "out-of-range", ["1", "1.5"]),
        (MINIMAL.replace("{kind: category}", "{kind: category, allowed: [85255, b]}"), "f:4 features.colour.allowed.0",
         "not-text", ["85255", "85255"]),
        (MINIMAL.replace("{kind: category}", "{kind: category, allowed: []}"), "f:4 features.colour.allowed",
         "wrong-length", ["1", "0"]),
        (MINIMAL.replace("{kind: numeric}", "{kind: numeric, min: 2, max: 1}"), "f:3 features.size",
         "invalid-range", ["2", "1"]),
        (MINIMAL.replace("{kind: regression}", "{kind: regression, min: 2, max: 1}"), "f:7 targets.price",
         "invalid-range", ["2", "1"]),
        (MINIMAL.replace("{kind: numeric}", "{kind: text, min_documents: 0}"), "f:3 features.size.min_documents",
         "invalid-range", ["0", "1", "0", "1.0"]),
        (MINIMAL.replace("{kind: numeric}", "{kind: text, max_documents: 1.5}"), "f:3 features.size.max_documents",
         "invalid-range", ["1.5", "1", "0", "1.0"]),
        (MINIMAL.replace("{kind: numeric}", "{kind: text, max_documents: few}"), "f:3 features.size.max_documents",
         "invalid-range", ["few", "1", "0", "1.0"]),
        (MINIMAL.replace("{kind: numeric}", "{kind: text, min_documents: 5, max_documents: 3}"), "f:3 features.size",
         "invalid-range", ["5", "3"]),
        (MINIMAL.replace("{kind: numeric}", "{kind: text, stop_words: the}"), "f:3 features.size.stop_words",
         "wrong-type", ["the"]),
        (MINIMAL.replace("{kind: numeric}", "{kind: text, ngrams: 6}"), "f:3 features.size.ngrams",
         "out-of-range", ["5", "6"]),
        (MINIMAL.replace("{kind: image}", "{kind: image, size: [4, 64]}"), "f:5 features.photo.size.0",
         "out-of-range", ["8", "4"]),
        (MINIMAL.replace("{kind: multiclass}", "{kind: multiclass, class_weight: ballanced}"),
         "f:8 targets.shape.class_weight", "invalid-choice", ["ballanced", "balanced"]),
        (MINIMAL.replace("{kind: multiclass}", "{kind: multiclass, class_weight: {a: -1}}"),
         "f:8 targets.shape.class_weight.a", "out-of-range", ["0", "-1"]),
        (MINIMAL.replace("{kind: multiclass}", "{kind: multiclass, classes: [a, b], class_weight: {c: 2}}"),
         "f:8 targets.shape", "unknown-class", ["c"]),
        (MINIMAL + "split: {column: part, fractions: {train: 0.8, val: 0.1, test: 0.1}}", "f:9 split",
         "conflicting-keys", []),
        (MINIMAL + "split: {names: {val: [dev]}}", "f:9 split",
         "missing-key", []),
        (MINIMAL + "split: {column: part, names: {val: [dev, eval], test: [dev]}}", "f:9 split.names",
         "ambiguous-split", []),
        (MINIMAL + "split: {fractions: {train: 0.8, val: 0.1, test: 0.2}}", "f:9 split.fractions",
         "invalid-fractions", ["1", "1.1"]),
        (MINIMAL + "split: {fractions: {train: 0.8, test: 0.2}}", "f:9 split.fractions.val", "missing-key", []),
        (MINIMAL + "split: {column: part, time: sold}", "f:9 split", "conflicting-keys", []),
        (MINIMAL + "split: {column: part, stratify: [price]}", "f:9 split", "conflicting-keys", []),
        (MINIMAL + "split: {time: sold, group: who}", "f:9 split", "conflicting-keys", []),
        (MINIMAL + "split: {time: sold, stratify: [price]}", "f:9 split", "conflicting-keys", []),
        (MINIMAL + "split: {gap: 30d}", "f:9 split", "missing-key", []),
        (MINIMAL + "split: {time: sold, gap: 30 days}", "f:9 split.gap", "invalid-gap", ["30 days", "0", "30"]),
        (MINIMAL + "split: {time: sold, gap: -1}", "f:9 split.gap", "invalid-gap", ["-1", "0", "30"]),
        (MINIMAL + "split: {time: sold, gap: yes}", "f:9 split.gap", "invalid-gap", ["yes", "0", "30"]),
        (MINIMAL + "split: {time: 3}", "f:9 split.time", "wrong-type", ["3"]),
        (MINIMAL + "split: {time: {column: sold, formt: x}}", "f:9 split.time.formt",
         "unknown-key", ["formt", "format"]),
        (MINIMAL + "split: {time: {column: sold, unit: s, format: '%Y'}}", "f:9 split.time", "conflicting-keys", []),
        (MINIMAL + "split: {stratify: []}", "f:9 split.stratify", "wrong-length", ["1", "0"]),
        (MINIMAL + "split: {stratify: [shape, shape]}", "f:9 split", "repeated-head", []),
        (MINIMAL + "split: {stratify: [shape, prise]}", "f:9 split.stratify", "unknown-target", ["prise", "price"]),
        # a column used twice
        (MINIMAL.replace("{kind: category}", "{kind: category, column: size}"), "f:3 features.size",
         "column-used-twice", ["size"]),
        (MINIMAL.replace("{kind: regression}", "{kind: regression, column: size}"), "f:3 features.size",
         "column-used-twice", ["size"]),
        (MINIMAL.replace("{kind: regression}", "{kind: regression, column: shape}"), "f:7 targets.price",
         "column-used-twice", ["shape"]),
        (MINIMAL + "split: {column: colour}", "f:9 split.column",
         "column-used-twice", ["colour"]),
        (MINIMAL + "key: size", "f:9 key", "column-used-twice", ["size"]),
        (MINIMAL + "key: price", "f:9 key", "column-used-twice", ["price"]),
        (MINIMAL.replace("size:", "key:") + "key: key", "f:9 key", "column-used-twice", ["key"]),
        (MINIMAL.replace("size:", "column:") + "split: {column: column}", "f:9 split.column",
         "column-used-twice", ["column"]),
        (MINIMAL + "split: {group: price}", "f:9 split.group", "column-used-twice", ["price"]),
        (MINIMAL + "split: {time: {column: shape}}", "f:9 split.time.column", "column-used-twice", ["shape"]),
        (MINIMAL + "key: id\nsplit: {group: id}", "f:9 key", "column-used-twice", ["id"]),
        (MINIMAL + "split: {column: part, group: part}", "f:9 split.column", "column-used-twice", ["part"]),
        # names
        (MINIMAL.replace("price:", "size:"), "f:7 targets.size", "target-is-feature", ["size"]),
        (MINIMAL.replace("size:", "my size:"), "f:3 features.my size", "invalid-name", ["my size"]),
        (MINIMAL.replace("size:", "a__b:"), "f:3 features.a__b", "invalid-name", ["a__b"]),
        # loss weights, slices, gate, tied pictures
        (MINIMAL.replace("{kind: regression}", "{kind: regression, loss_weight: 0}").replace(
            "{kind: multiclass}", "{kind: multiclass, loss_weight: 0.0}"), "f:6 targets",
         "no-loss-weight", ["0", "0"]),
        (MINIMAL + "evaluate: {slices: [color]}", "f:9 evaluate.slices", "unknown-feature", ["color", "colour"]),
        (MINIMAL + "evaluate: {slices: [price]}", "f:9 evaluate.slices", "unknown-feature", ["price"]),
        (MINIMAL + "gate: {prize: {r2: '> 0'}}", "f:9 gate.prize", "unknown-target", ["prize", "price"]),
        (MINIMAL + "gate: {price: {accuracy: '> 0'}}", "f:9 gate.price.accuracy",
         "unknown-metric", ["accuracy"]),
        (MINIMAL + "gate: {price: {r2: about 1}}", "f:9 gate.price.r2",
         "invalid-gate-rule", ["about 1", "0.6", "0.01", "0.5", "50"]),
        (MINIMAL + "gate: {price: {r2: ['> 0', about 1]}}", "f:9 gate.price.r2.1",
         "invalid-gate-rule", ["about 1", "0.6", "0.01", "0.5", "50"]),
        (MINIMAL + "gate: {price: {r2: {any: ['> 0'], or: ['> 1']}}}", "f:9 gate.price.r2.or", "unknown-key", ["or"]),
        (MINIMAL + "gate: {price: {r2: []}}", "f:9 gate.price.r2", "wrong-type", ["0.6"]),
        (MINIMAL + "gate: {price: {any: {r2: '> 0'}}}", "f:9 gate.price.any", "wrong-type", ["r2", "> 0"]),
        (MINIMAL + "gate: {price: 3}", "f:9 gate.price", "wrong-type", ["3"]),
        (MINIMAL + "gate: {any: [{prize: {r2: '> 0'}}]}", "f:9 gate.any.0.prize", "unknown-target", ["prize", "price"]),
        (MINIMAL + "gate: {price: {r2: beats linea}}", "f:9 gate.price.r2", "unknown-reference", ["linea", "linear"]),
        (MINIMAL + "gate: {price: {r2: beats linear}}\nensemble: {members: [boosted]}", "f:9 gate.price.r2",
         "unknown-reference", ["linear"]),
        (MINIMAL + "gate: {price: {r2: beats deployed}}", "f:9 gate.price.r2", "missing-key", []),
        (MINIMAL + "gate: {price: {mae: every slice <= 3}}", "f:9 gate.price.mae", "unsliced-metric", []),
        (MINIMAL + "gate: {price: {mae: beats linear by row weights}}", "f:9 gate.price.mae", "no-row-weights",
         ["price"]),
        (MINIMAL + "gate: {price: {conformal_coverage: '> 0.8 by row weights'}}",
         "f:9 gate.price.conformal_coverage", "no-row-weights", ["price"]),
        (MINIMAL + "gate: {price: {calibration_error: '<= 1'}}", "f:9 gate.price.calibration_error",
         "unknown-metric", ["calibration_error"]),
        (MINIMAL + "gate: {price: {conformal_coverage: beats baseline}}", "f:9 gate.price.conformal_coverage",
         "uncompared-metric", ["0.9", "0.05"]),
        (MINIMAL + "gate: {price: {r2: 0.6}}", "f:9 gate.price.r2", "not-text", ["0.6", "0.6", "0.01", "0.5", "50"]),
        (MINIMAL.replace("{kind: image}", "{kind: image, tied: p}\n  back: {kind: image, tied: p, size: [64, 64]}"),
         "f:6 features.back.size", "tied-images-differ", ["photo", "64", "64", "128", "128"]),
        (MINIMAL.replace("{kind: image}", "{kind: image, tied: p}\n  back: "
                         "{kind: image, tied: p, encoder: {backbone: n.keras}}"),
         "f:6 features.back.encoder", "tied-images-differ", ["photo", "backbone", "n.keras"]),
        (MINIMAL.replace("{kind: image}", "{kind: image, tied: p}\n  back: {kind: image, tied: p, channels: grey}"),
         "f:6 features.back.channels", "tied-images-differ", ["photo"]),
        (MINIMAL.replace("{kind: image}", "{kind: image, channels: grey, augment: {colour: 0.1}}"),
         "f:5 features.photo", "conflicting-keys", []),
        (MINIMAL.replace("{kind: image}", "{kind: image, required: true, on_corrupt: mask}"),
         "f:5 features.photo", "conflicting-keys", []),
        (MINIMAL.replace("{kind: image}", "{kind: image, channels: gray}"), "f:5 features.photo.channels",
         "invalid-choice", ["gray", "grey"]),
        (MINIMAL.replace("{kind: image}", "{kind: image, fit: squash}"), "f:5 features.photo.fit",
         "invalid-choice", ["squash"]),
        # encoders
        (MINIMAL.replace("{kind: image}", "{kind: image, encoder: {}}"), "f:5 features.photo.encoder.backbone",
         "missing-key", []),
        (MINIMAL.replace("{kind: image}", "{kind: image, encoder: {backbone: n.keras, trained: top}}"),
         "f:5 features.photo.encoder.trained", "unknown-key", ["trained", "train"]),
        (MINIMAL.replace("{kind: image}", "{kind: image, encoder: {backbone: n.keras, train: thaw}}"),
         "f:5 features.photo.encoder.train", "invalid-choice", ["thaw"]),
        (MINIMAL.replace("{kind: image}", "{kind: image, encoder: {backbone: n.keras, weights: imagenet}}"),
         "f:5 features.photo.encoder", "conflicting-keys", []),
        (MINIMAL.replace("{kind: image}", "{kind: image, encoder: {backbone: n.h5}}"),
         "f:5 features.photo.encoder", "invalid-format", ["n.h5"]),
        (MINIMAL.replace("{kind: image}", "{kind: image, augment: {crop: 0.2}, encoder: {backbone: n.keras}}"),
         "f:5 features.photo", "conflicting-keys", []),
        (MINIMAL.replace("{kind: image}", "{kind: image, tied: p}\n  b: {kind: image, tied: p, augment: {flip: on}}"),
         "f:6 features.b.augment.flip", "tied-images-differ", ["photo"]),
        (MINIMAL.replace("{kind: image}", "{kind: image, augment: {flp: true}}"),
         "f:5 features.photo.augment.flp", "unknown-key", ["flp", "flip"]),
        (MINIMAL.replace("{kind: image}", "{kind: text}") + "train: {cutmix: 1}", "f:9 train.cutmix", "no-picture", []),
        (MINIMAL + "split: {group: house}\nvalidate: {leakage: move}", "f:10 validate.leakage", "conflicting-keys", []),
        # repeated keys
        (MINIMAL + "table: u.csv", "f:9 table", "given-twice", ["table", "1"]),
        (MINIMAL.replace("colour: {kind: category}", "size: {kind: category}"), "f:4 features.size",
         "given-twice", ["size", "3"]),
    ],
)  # fmt: skip
def test_every_mistake_is_one_problem(text: str, where: str, code: str, values: list[str]) -> None:
    """Its place, the reason, what was received and what is near."""
    assert only(text) == (where, code, values)


def test_all_mistakes_at_once_in_the_order_of_the_file() -> None:
    """Nobody fixes a file one error at a time."""
    text = """\
table: 7
key: size
features:
  size: {kind: numerc}
  size: {kind: numeric}
  colour: {kind: category, min_cuont: 1}
targets:
  colour: {kind: binary}
  price: {kind: regression, transform: ln}
tran: {}
evaluate: {slices: [shape]}
gate: {price: {f1: "> 0"}}
"""
    assert [gist(problem) for problem in problems_of(text)] == [
        ("f:1 table", "not-text", ["7", "7"]),
        ("f:2 key", "column-used-twice", ["size"]),
        ("f:4 features.size.kind", "unknown-kind", ["numerc", "numeric"]),
        ("f:5 features.size", "given-twice", ["size", "4"]),
        ("f:6 features.colour.min_cuont", "unknown-key", ["min_cuont", "min_count"]),
        ("f:8 targets.colour", "target-is-feature", ["colour"]),
        ("f:9 targets.price.transform", "invalid-choice", ["ln"]),
        ("f:10 tran", "unknown-key", ["tran", "train"]),
        ("f:11 evaluate.slices", "unknown-feature", ["shape"]),
        ("f:12 gate.price.f1", "unknown-metric", ["f1"]),
    ]


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += _paths(inner, (*path, key))
    return found


BASE: dict[str, Any] = {
    **yaml.safe_load(MINIMAL.replace("{kind: image}", "{kind: image, size: [16, 16], tied: p}")),
    "key": "id",
    "split": {"fractions": {"train": 0.8, "val": 0.1, "test": 0.1}, "seed": 1},
    "validate": {"on_bad_row": "fail"},
    "gate": {"price": {"r2": "> 0"}},
    "evaluate": {"slices": ["colour"]},
}


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(_paths(BASE)), yaml_values)
def test_any_value_anywhere_is_accepted_or_a_config_error(path: tuple[Any, ...], value: Any) -> None:
    """Whatever stands at a place, the outcome is a Config or a ConfigError that names the file."""
    sections = copy.deepcopy(BASE)
    place: Any = sections
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    try:
        config = parse_config(yaml.safe_dump(sections), name="f")
    except ConfigError as error:
        told = [problem.what and problem.where.startswith("f") for problem in error.problems]
    else:
        told = [isinstance(config, Config)]
    assert all(told)


@pytest.mark.parametrize("rule", [">= 0.6", "<=.2", "  > -1e-3 ", "<1", "beats baseline"])
def test_gate_rules(rule: str) -> None:
    """Every documented form of a rule is accepted, for every metric of every kind."""
    for kind, metrics in METRIC_NAMES.items():
        sections = {
            "table": "t.csv",
            "features": {"a": {"kind": "numeric"}},
            "targets": {"b": {"kind": kind, **({"length": 2} if kind == "regressions" else {})}},
            "gate": {"b": dict.fromkeys(metrics, rule)},
        }
        assert parse_config(yaml.safe_dump(sections)).gate["b"] == dict.fromkeys(metrics, rule)


def test_gate_rules_can_be_joined() -> None:
    """Lists, any and all, of rules, of metrics and of heads; and the schema that editors use accepts what is read."""
    gate = {
        "price": {
            "r2": [">= 0.6", "beats linear", {"any": ["beats boosted", "not worse than boosted by 0.01"]}],
            "conformal_coverage": ">= 0.9",
            "any": [{"mae": "<= 3"}, {"rmse": "<= 5", "all": [{"r2": "every slice >= 0.1 with at least 50 rows"}]}],
        },
        "any": [{"price": {"r2": "> 0"}}, {"all": [{"price": {"mae": {"all": ["< 3"]}}}]}],
    }
    sections = {**yaml.safe_load(MINIMAL), "gate": gate}
    assert parse_config(yaml.safe_dump(sections)).gate == gate
    validator = Draft202012Validator(json_schema())
    validator.validate(sections)
    for wrong in ({"price": {"r2": 3}}, {"price": "r2 > 0"}, {"price": {"r2": {"or": ["> 0"]}}}):
        assert not validator.is_valid({**sections, "gate": wrong}), wrong


def test_load_config_reads_a_file_with_bom_and_windows_lines(tmp_path: Path) -> None:
    """A file saved by a Windows editor is a file."""
    path = tmp_path / "polyhead.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())
    assert load_config(path) == parse_config(MINIMAL)


def test_load_config_says_what_it_cannot_read(tmp_path: Path) -> None:
    """A missing file, a folder and a file in another encoding are config errors."""
    with refusal(ConfigError, "file-not-found") as caught:
        load_config(tmp_path / "gone.yaml")
    assert caught.problem.hint == "write one with: polyhead init TABLE --target COL"
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("table: größe.csv".encode("latin-1"))
    for path, code in ((tmp_path, "not-a-file"), (latin, "not-utf8")):
        with refusal(ConfigError, code, where=path):
            load_config(path)


def test_the_schema_accepts_the_design_and_refuses_an_unknown_key() -> None:
    """The published JSON Schema says what the model says."""
    import jsonschema

    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(DESIGN), schema)
    for broken in (MINIMAL + "tran: {}", MINIMAL.replace("numeric", "numerical"), "table: t.csv"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(yaml.safe_load(broken), schema)
    assert json.loads(json.dumps(schema)) == schema
    assert set(schema["properties"]) >= {"table", "features", "targets", "validate", "split", "gate"}


def test_configurations_never_change() -> None:
    """A step cannot alter what the next one sees."""
    config = parse_config(MINIMAL)
    feature = config.features["size"]
    assert isinstance(feature, NumericFeature)
    with pytest.raises(ValueError, match="frozen"):
        feature.min = 3.0  # type: ignore[misc]


@pytest.mark.parametrize("made_from", [{"config": "0" * 64}, {}])
def test_an_artifact_of_another_config_is_refused(made_from: dict[str, str]) -> None:
    """The error names both fingerprints."""
    config = parse_config(MINIMAL)
    report = ValidationReport(
        made_from=made_from,
        table="t",
        image_root="/",
        rows_read=1,
        rows_clean=1,
        rows_rejected=0,
        rejections=[],
        columns=[],
        images_checked=0,
        warnings=[],
        passed=True,
    )
    both = [made_from.get("config", "unknown")[:12], config.fingerprint(ValidationReport)[:12]]
    with refusal(ArtifactError, "config-mismatch", where="V", shows=both):
        require_config(config, report, "V")


@pytest.mark.parametrize("name", ["class", "self", "a__b", "_a", "1a", "ä", "a b", ""])
def test_names_that_a_graph_cannot_carry_are_refused(name: str) -> None:
    """Keywords, double underscores and the like are refused with the way out: a column of its own."""
    with refusal(ConfigError, "invalid-name", shows=[f"'{name}'", "{column: …}"]):
        parse_config(f'table: t.csv\nfeatures: {{"{name}": {{kind: numeric}}}}\ntargets: {{y: {{kind: binary}}}}\n')


def test_names_that_differ_in_case_only_are_refused() -> None:
    """Two such names would share files on some systems and arguments in the serving signature."""
    with refusal(ConfigError, "ambiguous-name", shows=["'area'", "'Area'"]):
        parse_config(
            "table: t.csv\nfeatures: {Area: {kind: numeric}, area: {kind: text}}\ntargets: {y: {kind: binary}}\n"
        )


@pytest.mark.parametrize(
    ("given", "colour"),
    [
        ("white", (255, 255, 255)),
        ("Black", (0, 0, 0)),
        ("'#C81e5A'", (200, 30, 90)),
        ("[200, 30, 90]", (200, 30, 90)),
    ],
)
def test_a_background_may_be_written_in_several_ways(given: str, colour: tuple[int, int, int]) -> None:
    """All of them decide the data by the colour that they mean."""
    text = "table: t.csv\nfeatures:\n  photo: {{kind: image, background: {}}}\ntargets:\n  y: {{kind: binary}}\n"
    config = parse_config(text.format(given))
    feature = config.features["photo"]
    assert isinstance(feature, ImageFeature)
    assert feature.background_colour == colour
    same = parse_config(text.format(list(colour)))
    assert config.fingerprint(Preprocessing) == same.fingerprint(Preprocessing)
    assert (config.fingerprint(Preprocessing) == parse_config(text.format("white")).fingerprint(Preprocessing)) == (
        given == "white"
    )


@pytest.mark.parametrize(
    ("line", "code", "shown"),
    [
        ("background:", "invalid-colour", "#"),
        ("background: beige", "invalid-colour", "'beige'"),
        ("background: 7", "invalid-colour", "7"),
        ("background: [1, 2]", "invalid-colour", "255"),
        ("background: [1, 2, 256]", "invalid-colour", "255"),
        ("background: [1, 2, true]", "invalid-colour", "255"),
        ("range: [4095, 0]", "invalid-range", "[4095, 0]"),
        ("range: [0, 65536]", "out-of-range", "65535"),
    ],
)
def test_what_is_no_background_and_no_range_says_so(line: str, code: str, shown: str) -> None:
    """With what to write in its place."""
    text = f"table: t.csv\nfeatures:\n  photo:\n    kind: image\n    {line}\ntargets:\n  y: {{kind: binary}}\n"
    with refusal(ConfigError, code, shows=["photo", shown]):
        parse_config(text)


def test_the_weight_of_all_heads_is_that_of_each_without_its_own() -> None:
    """A head's own goes first, null is none; the columns are read once each, and reading again changes nothing."""
    targets = "{a: {kind: regression}, b: {kind: regression, weight: v}, c: {kind: regression, weight: null}}"
    config = parse_config(f"table: t\nweight: w\nfeatures: {{x: {{kind: numeric}}}}\ntargets: {targets}")
    assert {name: target.weight for name, target in config.targets.items()} == {"a": "w", "b": "v", "c": None}
    assert config.columns == ["x", "a", "b", "c", "w", "v"]
    assert Config.model_validate_json(config.model_dump_json(by_alias=True)) == config


def test_a_weight_is_nothing_else() -> None:
    """Heads may share their weights, but the column is no key, feature, target or split."""
    text = "table: t\nkey: w\nfeatures: {x: {kind: numeric}, v: {kind: numeric}}\nweight: w\n"
    text += "targets: {a: {kind: regression, weight: v}, b: {kind: regression, weight: v}}"
    found = [(problem.code, problem.where.split()[-1]) for problem in problems_of(text)]
    assert found == [("column-used-twice", "key"), ("column-used-twice", "features.v")]


@pytest.mark.parametrize(("head", "hint"), [("prise", "shape"), ("price", "shape")])
def test_rows_are_drawn_by_the_classes_of_a_head(head: str, hint: str) -> None:
    """Of one that there is, with one class a row."""
    (problem,) = problems_of(f"{MINIMAL}train: {{resample: {{head: {head}, ratio: 0.5}}}}\n")
    assert (problem.code, problem.where.split()[-1]) == ("unknown-target", "train.resample.head")
    assert hint in problem.hint
    assert parse_config(f"{MINIMAL}train: {{resample: {{head: shape, ratio: 0.5}}}}\n").train.resample is not None


def test_rows_of_several_labels_are_not_drawn() -> None:
    """They have no one class; what weighs each label by itself is named."""
    (problem,) = problems_of(
        f"{MINIMAL}  tags: {{kind: multilabel}}\ntrain: {{resample: {{head: tags, ratio: 0.5}}}}\n"
    )
    assert problem.code == "unknown-target"
    assert "class_weight of 'tags'" in problem.hint
