"""The training pipeline as one YAML file."""

from __future__ import annotations

from pathlib import Path

import yaml
from google.protobuf import json_format

from polyhead.contracts.config import parse_config, read_config_text
from polyhead.errors import ConfigError
from polyhead.progress import say
from polyhead.storage.artifact import write_whole
from polyhead.storage.places import is_remote
from polyhead_pipelines.training import DEFAULT_IMAGE, training_pipeline

_HEADER = (
    "# Polyhead's training pipeline. Parameters: config (the configuration's text), table (where the table is),\n"
    "# reuse (a folder of earlier shards to copy unchanged pictures from; empty for none).\n"
)


def compile_training(config: Path, out: Path, *, table: str | None = None, image: str = DEFAULT_IMAGE) -> None:
    """Compile the training pipeline of a configuration; the same input gives the same bytes.

    The configuration's text travels as the default of the parameter `config`. Its table is the default of `table`,
    as written: on a cluster it must be a place that the pods can read, such as `gs://bucket/houses.parquet`.

    Args:
        config: The configuration file.
        out: The file to write, ending in .yaml or .yml.
        table: Replaces the configuration's table.
        image: Container image of every step.

    Raises:
        ConfigError: The configuration is wrong, or `out` has another ending.
        ArtifactError: `out` cannot be written.
    """
    if out.suffix not in (".yaml", ".yml"):
        raise ConfigError(f"ends in '{out.suffix}'", where=str(out), hint="give a name that ends in .yaml")
    text = read_config_text(config)
    checked = parse_config(text, name=config.name)
    place = table or checked.table
    pipeline = training_pipeline(text, place, image)
    # KFP's own writer copies parameter defaults into the comments at the file's head line by line, and every line
    # of a multi-line default after the first would stand there as YAML.
    spec = json_format.MessageToDict(pipeline.pipeline_spec)
    body = yaml.safe_dump(spec, sort_keys=True, allow_unicode=True, width=100)
    write_whole(out, f"{_HEADER}{body}".encode())
    if not is_remote(place) and not Path(place).is_absolute():
        say(f"warning: the table '{place}' is a relative path; on a cluster give the parameter `table` a gs:// place")
