"""The task that computes features of pictures is there where an encoder is frozen, and feeds all that trains."""

from __future__ import annotations

from typing import Any

import pytest

from polyhead.contracts.config import ConfigFile
from polyhead_pipelines.define.training import stages_of, training_pipeline
from polyhead_pipelines.platforms.local import Local

CONFIG = """
table: t.csv
features:
  photo: {{kind: image, encoder: {{backbone: nets/n.keras, train: {train}}}}}
targets:
  price: {{kind: regression}}
"""


def tasks_of(config: ConfigFile) -> dict[str, Any]:
    tasks: dict[str, Any] = training_pipeline(config, "t.csv", platform=Local()).pipeline_spec.root.dag.tasks
    return dict(tasks)


def producer(task: Any, given: str) -> str:
    return str(task.inputs.artifacts[given].task_output_artifact.producer_task)


def test_a_frozen_encoder_has_a_task_of_its_own() -> None:
    config = ConfigFile.parse(CONFIG.format(train="frozen"))
    tasks = tasks_of(config)
    assert [stage.name for stage in stages_of(config.config)] == [
        *("validate", "preprocess", "shard", "encode", "train", "evaluate"),
    ]
    assert producer(tasks["encode"], "shards") == "shard"
    assert producer(tasks["encode"], "preprocessing") == "preprocess"
    assert producer(tasks["train"], "shards") == producer(tasks["evaluate"], "shards") == "encode"


@pytest.mark.parametrize("train", ["top", "all"])
def test_one_that_learns_has_none(train: str) -> None:
    tasks = tasks_of(ConfigFile.parse(CONFIG.format(train=train)))
    assert "encode" not in tasks
    assert producer(tasks["train"], "shards") == "shard"
