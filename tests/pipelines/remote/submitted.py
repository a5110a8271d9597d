"""What the tests of submitting submit, and how they read messages."""

from __future__ import annotations

from typing import Any


def component(**parameters: str) -> dict[str, Any]:
    declared = {name: {"parameterType": kind} for name, kind in parameters.items()}
    return {"inputDefinitions": {"parameters": declared}} if declared else {}


PIPELINE: dict[str, Any] = {
    "pipelineInfo": {"name": "mugs"},
    "schemaVersion": "2.1.0",
    "sdkVersion": "kfp-2.16.1",
    "root": {
        "dag": {
            "tasks": {
                "prepare": {"taskInfo": {"name": "prepare"}, "componentRef": {"name": "comp-prepare"}},
                "for-loop-1": {
                    "taskInfo": {"name": "for-loop-1"},
                    "componentRef": {"name": "comp-for-loop-1"},
                    "dependentTasks": ["prepare"],
                    "cachingOptions": {"enableCache": True},
                    "parameterIterator": {"items": {"raw": "[1, 2]"}, "itemInput": "item"},
                },
            }
        },
        "inputDefinitions": {
            "parameters": {
                "table": {"parameterType": "STRING"},
                "epochs": {"parameterType": "NUMBER_INTEGER", "defaultValue": 3},
                "rate": {"parameterType": "NUMBER_DOUBLE", "defaultValue": 0.1},
                "fast": {"parameterType": "BOOLEAN", "defaultValue": False},
                "sizes": {"parameterType": "LIST", "isOptional": True},
                "more": {"parameterType": "STRUCT", "isOptional": True},
            }
        },
    },
    "components": {
        "comp-prepare": {"executorLabel": "exec-prepare"},
        "comp-train": {"executorLabel": "exec-train"},
        "comp-for-loop-1": {
            **component(item="NUMBER_INTEGER"),
            "dag": {"tasks": {"train": {"taskInfo": {"name": "train"}, "componentRef": {"name": "comp-train"}}}},
        },
    },
    "deploymentSpec": {
        "executors": {
            f"exec-{name}": {"container": {"image": "polyhead:1", "command": ["true"]}} for name in ("prepare", "train")
        }
    },
}
PLATFORM: dict[str, Any] = {
    "platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-train": {"podMetadata": {}}}}}}
}
TABLE = ("--param", "table=gs://b/t.parquet")


def lines(text: str) -> list[str]:
    """The lines of a message without their indentation."""
    return [line.strip() for line in text.splitlines()]
