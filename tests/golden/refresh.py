"""Write the generated files of the repository: `make golden`.

    tests/golden/polyhead.schema.json      what `polyhead schema` prints
    tests/golden/houses.<platform>.yaml    pipelines/configs/houses.yaml compiled, without the versions in it
    tests/golden/houses.partitions.yaml    the same for kfp, with four workers
    tests/golden/settings.<platform>.yaml  the same of the configurations with every setting of `cluster`, beside them
    docs/cluster-settings.md               from the models of `cluster`, its defaults and what each platform carries
    components/polyhead/<step>/README.md   from the compiled component, the contract and the command's help

`python refresh.py --list` prints their paths and writes nothing.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path("tests/golden")
HOUSES = ROOT / "pipelines" / "configs" / "houses.yaml"

COMPILED: dict[str, tuple[Path, dict[str, Any]]] = {
    "houses.kfp.yaml": (HOUSES, {"platform": "kfp"}),
    "houses.vertex.yaml": (HOUSES, {"platform": "vertex", "pipeline_root": "gs://bucket/polyhead"}),
    "houses.local.yaml": (HOUSES, {"platform": "local"}),
    "houses.kubernetes.yaml": (HOUSES, {"platform": "kubernetes"}),
    "houses.partitions.yaml": (HOUSES, {"platform": "kfp", "partitions": 4}),
    "houses.prediction.yaml": (
        HOUSES,
        {"platform": "kfp", "partitions": 4, "bundle": "gs://bucket/houses/0123456789abcdef"},
    ),
    "settings.kfp.yaml": (ROOT / GOLDEN / "settings.yaml", {"platform": "kfp"}),
    "settings.vertex.yaml": (ROOT / GOLDEN / "settings-vertex.yaml", {"platform": "vertex"}),
    "settings.kubernetes.yaml": (ROOT / GOLDEN / "settings.yaml", {"platform": "kubernetes"}),
}
"""Compiled files beside this one: from which configuration, and how."""

PARAMETERS = {
    "config": "the configuration file's text",
    "destination": "the folder of versions; empty for the configuration's `publish.to`",
    "reuse": "a folder of earlier shards, to copy unchanged pictures from; empty for none, which is the default",
    "table": "a place that the step can read, such as `gs://bucket/houses.parquet`",
    "metrics": "every metric as `<head>.<metric>`, for the KFP user interface",
    "report": "`report.html`, for the KFP user interface",
}
LINE = 120
TYPES = {"String": "text", "system.Artifact": "Artifact"}


def generated() -> dict[Path, str]:
    """Every generated file: its path from the repository's root, and its content."""
    files = {GOLDEN / "polyhead.schema.json": schema_file(), Path("docs/cluster-settings.md"): settings_page()}
    for name, (config, options) in COMPILED.items():
        files[GOLDEN / name] = compiled_file(config, **options)
    for stage in stages():
        files[Path("components/polyhead", stage.name, "README.md")] = component_page(stage)
    return files


def stages() -> list[Any]:
    """Every step that has a README: those of the pipeline, and publish."""
    from polyhead_pipelines.define.training import PUBLISH, STAGES

    return [*STAGES, PUBLISH]


def schema_file() -> str:
    """The JSON Schema as the command prints it."""
    from polyhead.contracts.config import json_schema

    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def compiled_file(config: Path, platform: str, **options: Any) -> str:
    """A compiled pipeline; KFP's version, Polyhead's and what hangs on it are words that do not change."""
    from polyhead.contracts.config import ConfigFile
    from polyhead_pipelines.compiling.pipeline import compile_pipeline
    from polyhead_pipelines.platforms.table import PLATFORMS

    return without_versions(compile_pipeline(ConfigFile.read(config), PLATFORMS[platform], **options).text)


def without_versions(text: str) -> str:
    """A compiled pipeline with `sdkVersion`, the image's tag, the version's label and the Job's digest normalised."""
    text = re.sub(r"(?m)^sdkVersion: kfp-.*$", "sdkVersion: kfp-VERSION", text)
    text = re.sub(r"(?m)^( +(?:- )?image: polyhead):.*$", r"\1:VERSION", text)
    text = re.sub(r"(?m)^( +app.kubernetes.io/version): .*$", r"\1: VERSION", text)
    return re.sub(r"(?m)(^kind: Job\nmetadata:\n  name: .*-)[0-9a-f]{8}$", r"\1DIGEST", text)


def settings_page() -> str:
    """What stands in `cluster`, for people: settings, defaults, and what each platform does with them."""
    from polyhead.contracts import cluster
    from polyhead_pipelines.define.resources import DEFAULTS
    from polyhead_pipelines.platforms.table import PLATFORMS

    def rows(model: Any, *, beside: Any = None) -> list[str]:
        return [
            f"| `{name}` | {_one_line(field.description or (field.annotation.__doc__ or ''))} |"
            for name, field in model.model_fields.items()
            if beside is None or name not in beside.model_fields
        ]

    platforms = [platform for platform in PLATFORMS.values() if platform.elsewhere]
    settings, whole = cluster.StepSettings, cluster.ClusterSection
    carried = {
        name: [platform.carries(name) for platform in platforms] for name in whole.model_fields if name != "steps"
    }
    shown = [name for name in settings.model_fields if any(getattr(one, name) for one in DEFAULTS.values())]
    lines = [
        "<!-- Generated by make golden: change the models, the defaults or the tables of the platforms instead. -->",
        "",
        "# The section `cluster` of polyhead.yaml",
        "",
        "What stands in `cluster` holds for every step. `cluster.steps.<step>` says what one step needs otherwise:",
        "a single value takes the place of that of all, mappings and lists add up. Where only one of request and limit",
        "is given, it is both. `polyhead compile CONFIG --dry-run` prints what comes of it.",
        "",
        "## For every step, or for one",
        "",
        "| Setting | What it is |",
        "|---|---|",
        *rows(settings),
        "",
        "## For the whole run",
        "",
        "| Setting | What it is |",
        "|---|---|",
        *rows(whole, beside=settings),
    ]
    for title, model in (
        ("`accelerator`", cluster.Accelerator),
        ("`retry`", cluster.Retry),
        ("An entry of `tolerations`", cluster.Toleration),
        ("An entry of `secrets` or `config_maps`", cluster.Source),
        ("An entry of `volumes`", cluster.ClaimMount),
        ("`workspace`", cluster.Workspace),
    ):
        lines += [
            "",
            f"## {title}",
            "",
            _one_line(model.__doc__),
            "",
            "| Key | What it is |",
            "|---|---|",
            *rows(model),
        ]
    lines += [
        "",
        "## Defaults",
        "",
        f"| Step | {' | '.join(f'`{name}`' for name in shown)} |",
        "|---" * (len(shown) + 1) + "|",
    ]
    for step, one in DEFAULTS.items():
        values = [getattr(one, name) for name in shown]
        cells = [f"{v.count}, after {v.backoff}" if isinstance(v, cluster.Retry) else str(v or "") for v in values]
        lines.append(f"| {step} | {' | '.join(cells)} |")
    lines += [
        "",
        "## What each platform does with it",
        "",
        f"| Setting | {' | '.join(one.name for one in platforms)} |",
        "|---|---|---|---|",
    ]
    for name, words in carried.items():
        lines.append(f"| `{name}` | {' | '.join(words)} |")
    return "\n".join([*lines, ""])


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def component_page(stage: Any) -> str:
    """A step's README."""
    component = importlib.import_module(f"polyhead.{stage.name}.component").component("polyhead").component_spec
    outputs = {one.output: one for one in stages()}

    def rows(members: dict[str, Any]) -> list[str]:
        lines = []
        for name, member in members.items():
            made_by = outputs.get(name)
            meaning = PARAMETERS.get(name) or f"the `{made_by.contract.__name__}` of `{made_by.name}`"
            lines.append(f"| `{name}` | {_type(member.type)} | {meaning} |")
        return lines

    call = f"{stage.name}({', '.join(f'{name}={name}' for name in component.inputs)})"
    code = [f'{stage.output} = {call}.outputs["{stage.output}"]']
    if len(code[0]) > LINE:
        code = [f"task = {call}", f'{stage.output} = task.outputs["{stage.output}"]']
    usage, options = _command(stage.name)
    about, tree = _contract(stage.contract)
    return "\n".join(
        [
            "<!-- Generated by make golden: change the component, the contract or the command instead. -->",
            "",
            f"# {stage.name}",
            "",
            component.description,
            "",
            "## As a command",
            "",
            "```",
            usage,
            "```",
            "",
            "| Option | Meaning |",
            "|---|---|",
            *options,
            "",
            "## As a Kubeflow Pipelines component",
            "",
            "```python",
            f"from polyhead.{stage.name}.component import component",
            "",
            f"{stage.name} = component(image)  # a container image that has Polyhead installed",
            "",
            "# in a function decorated with kfp.dsl.pipeline:",
            *code,
            "```",
            "",
            "| Input | Type | What it is |",
            "|---|---|---|",
            *rows(component.inputs),
            "",
            "| Output | Type | What it is |",
            "|---|---|---|",
            *rows(component.outputs),
            "",
            "## What it writes",
            "",
            f"`{stage.contract.__name__}`, {about}",
            "",
            "```",
            tree,
            "```",
            "",
        ]
    )


def _type(name: str) -> str:
    short = name.partition("@")[0]
    return TYPES.get(short, short.removeprefix("system."))


def _command(name: str) -> tuple[str, list[str]]:
    """A command's usage in one line, and one table row per option."""
    import typer

    from polyhead.cli import app

    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    usage, rows = f"polyhead {name}", []
    for parameter in command.params:
        flags = ", ".join(parameter.opts)
        if parameter.param_type_name == "argument":
            shown = flags = parameter.metavar
        else:
            word = flags if parameter.is_flag else f"{flags} {parameter.metavar}"
            shown, flags = (word if parameter.required else f"[{word}]"), word
        usage += f" {shown}"
        rows.append(f"| `{flags}` | {parameter.help} |")
    return usage, rows


def _contract(contract: Any) -> tuple[str, str]:
    """What a contract's module says of the artifact: the sentence, and the file tree with its notes."""
    text = importlib.import_module(contract.__module__).__doc__ or ""
    head, _, tree = text.partition("\n\n")
    about = head.partition(": ")[2]
    return about, "\n\n".join(textwrap.dedent(part) for part in tree.rstrip().split("\n\n"))


def main() -> None:
    """Write what has changed, or list the paths."""
    files = generated()
    if sys.argv[1:] == ["--list"]:
        print("\n".join(str(path) for path in files))
        return
    for path, text in files.items():
        place = ROOT / path
        if not place.is_file() or place.read_text(encoding="utf-8") != text:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
            print(f"wrote {path}")


if __name__ == "__main__":
    main()
