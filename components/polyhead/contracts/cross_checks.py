"""What no single field of a configuration can see: names, columns used twice, the gate, publishing, tied sizes."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from polyhead.contracts.cluster import check_cluster
from polyhead.contracts.document import Document
from polyhead.contracts.gate import (
    BASELINE,
    CALIBRATION_ERROR,
    CONFORMAL_COVERAGE,
    DEPLOYED,
    Against,
    EverySlice,
    Limit,
    Rule,
    read_gate,
)
from polyhead.contracts.settings import EnsembleSection
from polyhead.errors import Problem, did_you_mean
from polyhead.kinds.base import column_names, is_name
from polyhead.kinds.union import FEATURES, METRIC_NAMES, TARGETS


def cross_checks(document: Document) -> list[Problem]:
    """What no single field can see: names, columns used twice, slices, the gate, publishing, tied sizes, pods.

    Works on the raw document, so that these are reported beside a wrong field elsewhere.
    """
    return [
        *_check_names(document),
        *_check_columns(document),
        *_check_loss_weights(document),
        *_check_stratify(document),
        *_check_slices(document),
        *_check_gate(document),
        *_check_publish(document),
        *_check_cutmix(document),
        *_check_leakage(document),
        *_check_resample(document),
        *_check_conflicts(document),
        *check_cluster(document),
    ]


def _members(document: Document) -> Iterator[tuple[str, str, Any]]:
    """Every feature and target: its group, name and body."""
    for group in ("features", "targets"):
        for name, body in document.mapping([group]).items():
            yield group, name, body


def _check_names(document: Document) -> Iterator[Problem]:
    folded: dict[str, str] = {}
    for group, name, _ in _members(document):
        other = folded.setdefault(name.lower(), name)
        if other != name:
            hint = "give one of them another name, and its column as {column: …}"
            yield Problem(
                "ambiguous-name",
                f"'{name}' and '{other}' differ only in case",
                where=document.where([group, name]),
                hint=hint,
            )
        if not is_name(name):
            hint = "use letters, digits and single _, starting with a letter, and give the column as {column: …}"
            yield Problem(
                "invalid-name",
                f"'{name}' is not a valid name for a model input or output",
                where=document.where([group, name]),
                hint=hint,
            )
        if group == "targets" and name in document.mapping(["features"]):
            hint = "a target cannot be its own input"
            yield Problem(
                "target-is-feature", f"'{name}' is also a feature", where=document.where([group, name]), hint=hint
            )


def _check_columns(document: Document) -> Iterator[Problem]:
    uses: dict[str, list[tuple[str, ...]]] = {}

    def use(column: object, *path: str) -> None:
        if isinstance(column, str):
            uses.setdefault(column, []).append(path)

    use(document.get(["key"]), "key")
    use(document.get(["split", "column"]), "split", "column")
    use(document.get(["weight"]), "weight")
    for name in ("group", "time"):
        path = ["split", name, "column"] if document.mapping(["split", name]) else ["split", name]
        use(document.get(path), *path)
    for group, name, body in _members(document):
        own = body if isinstance(body, dict) else {}
        several = column_names(own.get("columns"))
        for column in several or [own.get("column") or name]:
            use(column, group, name)
        if group == "targets":
            use(own.get("weight"), group, name, "weight")
    for column, places in uses.items():
        first, *others = places
        if all(place[-1] == "weight" and len(place) != 2 for place in places):
            continue  # several heads may have the same weights
        if not others or places == [("features", first[-1]), ("targets", first[-1])]:
            continue  # one name as a feature and a target is reported with the names
        if len(places) == 2 and first[:2] in _ALSO_FEATURES and others[0][0] == "features":
            continue
        named = ", ".join(".".join(place) for place in others)
        hint = (
            "a key as a feature lets the model memorise rows; remove one"
            if first == ("key",) and {place[0] for place in others} == {"features"}
            else "a column serves one purpose; remove one"
        )
        yield Problem(
            "column-used-twice", f"column '{column}' is also used by {named}", where=document.where(first), hint=hint
        )


_ALSO_FEATURES = (("split", "group"), ("split", "time"))
"""What a column can be beside a feature: a model may know when and of whom a row is."""


def _kind(document: Document, group: str, name: str) -> str:
    return str(document.get([group, name, "kind"]))


def _features_of(document: Document, kinds: Collection[str]) -> dict[str, Any]:
    """The bodies of the features of some kinds, by name."""
    bodies = document.mapping(["features"])
    return {name: body for name, body in bodies.items() if _kind(document, "features", name) in kinds}


def _check_loss_weights(document: Document) -> Iterator[Problem]:
    """A model all of whose heads weigh nothing would learn nothing."""
    targets = document.mapping(["targets"])
    weights = [body.get("loss_weight", 1) for body in targets.values() if isinstance(body, dict)]
    if weights and len(weights) == len(targets) and all(weight == 0 for weight in weights):
        hint = "remove loss_weight, or give one target a weight above 0"
        yield Problem(
            "no-loss-weight",
            "no target has a loss_weight above 0, so nothing would be learned",
            where=document.where(["targets"]),
            hint=hint,
        )


def _check_slices(document: Document) -> Iterator[Problem]:
    features = list(document.mapping(["features"]))
    slices = document.get(["evaluate", "slices"])
    for name in slices if isinstance(slices, list) else []:
        if isinstance(name, str) and name not in features:
            yield Problem(
                "unknown-feature",
                f"'{name}' is not a feature",
                where=document.where(["evaluate", "slices"]),
                hint=did_you_mean(name, features),
            )


def _check_stratify(document: Document) -> Iterator[Problem]:
    targets = document.mapping(["targets"])
    heads = document.get(["split", "stratify"])
    for head in heads if isinstance(heads, list) else []:
        if isinstance(head, str) and head not in targets:
            yield Problem(
                "unknown-target",
                f"'{head}' is not a target",
                where=document.where(["split", "stratify"]),
                hint=did_you_mean(head, list(targets)),
            )


def _check_gate(document: Document) -> Iterator[Problem]:
    joined, faults = read_gate(document.mapping(["gate"]))
    for path, code, what, hint in faults:
        yield Problem(code, what, where=document.where(["gate", *path]), hint=hint)
    targets = document.mapping(["targets"])
    unknown: set[str] = set()
    for rule in joined.rules():
        where = document.where(["gate", *rule.path])
        if rule.head in targets:
            yield from _check_rule(document, rule, where)
        elif rule.head not in unknown:
            unknown.add(rule.head)
            where = document.where(["gate", *rule.path[: rule.path.index(rule.head) + 1]])
            hint = did_you_mean(rule.head, list(targets))
            yield Problem("unknown-target", f"'{rule.head}' is not a target", where=where, hint=hint)


def _check_rule(document: Document, rule: Rule, where: str) -> Iterator[Problem]:
    kind = _kind(document, "targets", rule.head)
    metrics = METRIC_NAMES.get(kind, ())
    if not metrics:
        return  # the kind is a problem of its own
    beside = [*([CALIBRATION_ERROR] if "log_loss" in metrics else []), CONFORMAL_COVERAGE]
    if rule.metric not in metrics and rule.metric not in beside:
        what = f"a {kind} head has no metric '{rule.metric}'"
        yield Problem("unknown-metric", what, where=where, hint=did_you_mean(rule.metric, [*metrics, *beside]))
        return
    if rule.weighted:
        own = document.mapping(["targets", rule.head])
        if rule.metric == CALIBRATION_ERROR:
            what = f"{rule.metric} is not measured by row weights"
            yield Problem("no-row-weights", what, where=where, hint='leave "by row weights" out')
        elif (own["weight"] if "weight" in own else document.get(["weight"])) is None:
            what = f"'{rule.head}' has no row weights"
            hint = f'give it a column: {{{rule.head}: {{weight: …}}}}, or leave "by row weights" out'
            yield Problem("no-row-weights", what, where=where, hint=hint)
    match rule.condition:
        case Limit():
            return
        case EverySlice() if rule.metric not in (metrics[0], CONFORMAL_COVERAGE):
            what = f"{rule.metric} is not measured on slices"
            yield Problem("unsliced-metric", what, where=where, hint=f"use {metrics[0]}, the head's first metric")
        case Against() if rule.metric in beside:
            what = f"{rule.metric} is not compared with other models"
            yield Problem("uncompared-metric", what, where=where, hint='write ">= 0.9" or "<= 0.05", in quotes')
        case Against(reference=reference):
            yield from _check_reference(document, reference, where)


def _check_reference(document: Document, reference: str, where: str) -> Iterator[Problem]:
    """A model that a rule names has to be there when the rule is judged."""
    if reference == DEPLOYED:
        if not document.get(["evaluate", "against"]):
            hint = "add evaluate.against: the place where models are published"
            yield Problem("missing-key", "no deployed model is compared", where=where, hint=hint)
        return
    members = document.get(["ensemble", "members"])
    if not isinstance(members, list):
        members = EnsembleSection().members
    features = document.mapping(["features"])
    alone = dict.fromkeys(_kind(document, "features", name) for name in features)
    known = [BASELINE, DEPLOYED, *members, *alone]
    if reference not in known:
        what = f"there is no model '{reference}' beside the heads"
        yield Problem("unknown-reference", what, where=where, hint=did_you_mean(reference, known))


def _check_publish(document: Document) -> Iterator[Problem]:
    """A model without a gate would be refused after hours of training, so this is reported before."""
    publish = document.mapping(["publish"])
    if publish.get("to") and not publish.get("ungated") and not any(document.mapping(["gate"]).values()):
        hint = "add rules to gate, or write publish.ungated: true"
        yield Problem("no-gate", "there is no gate to pass", where=document.where(["publish", "to"]), hint=hint)


def _check_cutmix(document: Document) -> Iterator[Problem]:
    """Without a picture there is nothing to cut."""
    kinds = [kind for kind, feature in FEATURES.items() if feature.PICTURES]
    if document.get(["train", "cutmix"]) and not _features_of(document, kinds):
        yield Problem(
            "no-picture",
            "there is no picture to cut and paste",
            where=document.where(["train", "cutmix"]),
            hint="use train.mixup, which mixes every kind of feature",
        )


def _check_resample(document: Document) -> Iterator[Problem]:
    """Only a head with one class a row says which rows are rare."""
    head = document.get(["train", "resample", "head"])
    if not isinstance(head, str):
        return
    kinds = [kind for kind, target in TARGETS.items() if target.RESAMPLES]
    fitting = [name for name in document.mapping(["targets"]) if _kind(document, "targets", name) in kinds]
    if head not in fitting:
        named = f"{', '.join(kinds[:-1])} or {kinds[-1]}"
        target = TARGETS.get(_kind(document, "targets", head))
        weighs = target is not None and "class_weight" in target.model_fields
        own = f"class_weight of '{head}' weighs each label by itself, and train.resample cannot: a row has several"
        yield Problem(
            "unknown-target",
            f"'{head}' is not a {named} target",
            where=document.where(["train", "resample", "head"]),
            hint=own if weighs else did_you_mean(head, fitting) or f"there is no {named} target",
        )


def _check_leakage(document: Document) -> Iterator[Problem]:
    """Rows that are moved to where their duplicates are would leave their group, or their place in time."""
    if document.get(["validate", "leakage"]) != "move":
        return
    for key in ("group", "time"):
        if document.get(["split", key]) is not None:
            yield Problem(
                "conflicting-keys",
                f"leakage: move would move rows against split.{key}",
                where=document.where(["validate", "leakage"]),
                hint=f"write leakage: warn or fail, or leave split.{key} out",
            )


def _check_conflicts(document: Document) -> Iterator[Problem]:
    """What the features of one kind are to each other."""
    for kind, feature in FEATURES.items():
        for name, key, code, what, hint in feature.conflicts(_features_of(document, [kind])):
            yield Problem(code, what, where=document.where(["features", name, *key.split(".")]), hint=hint)
