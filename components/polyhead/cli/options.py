"""What several commands take, and how they end."""

from __future__ import annotations

import functools
import inspect
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel

    from polyhead.contracts.config import Config
    from polyhead.contracts.partitions import Plan

ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="The configuration, a YAML file; - for stdin.")]
TableOption = Annotated[str | None, typer.Option(metavar="PLACE", help="Replaces the configuration's table.")]
OutOption = Annotated[
    str, typer.Option("-o", "--out", metavar="FOLDER", help="The folder to write, here or in a bucket.")
]


def _json_wanted(wanted: bool) -> bool:
    from polyhead.progress import json_wanted

    json_wanted.set(wanted)
    return wanted


JsonOption = Annotated[
    bool,
    typer.Option(
        "--json",
        callback=_json_wanted,
        help="Print the result, or the error, as JSON on stdout and nothing else there.",
    ),
]
WorkersOption = Annotated[int | None, typer.Option(min=1, metavar="N", help="Threads. Default: all processors.")]
DataOption = Annotated[str, typer.Option(metavar="FOLDER", help="The folder that validate wrote, here or in a bucket.")]
PreprocessingOption = Annotated[
    str, typer.Option(metavar="FOLDER", help="The folder that preprocess wrote, here or in a bucket.")
]
ShardsOption = Annotated[
    str, typer.Option(metavar="FOLDER", help="The folder that shard, or encode, wrote, here or in a bucket.")
]
ReuseOption = Annotated[
    str, typer.Option(metavar="FOLDER", help="Earlier shards to copy unchanged pictures from. Default: those at --out.")
]
DestinationOption = Annotated[
    str | None, typer.Option(metavar="PLACE", help="Replaces the configuration's publish.to.")
]
PartitionsOption = Annotated[int, typer.Option(min=1, metavar="N", help="Workers that share a step's rows.")]
BundleOption = Annotated[
    str | None, typer.Option(metavar="FOLDER", help="Predict the table with this trained bundle, instead of training.")
]
BundleArgument = Annotated[
    str, typer.Argument(metavar="BUNDLE", help="What train wrote, or a published version, here or in a bucket.")
]
PredictionsOption = Annotated[
    str, typer.Option("-o", "--out", metavar="FILE", help="The Parquet file to write, here or in a bucket.")
]
SeedOption = Annotated[int | None, typer.Option(min=0, metavar="N", help="Replaces train.seed.")]


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """A command for Typer, from a function that takes some of its options together.

    Args:
        command: A parameter that is a dataclass is replaced by its fields: each is an option, described as Typer
            has it, with a default.
    """
    parameters: list[inspect.Parameter] = []
    groups: dict[str, type[Any]] = {}
    for name, hint in get_type_hints(command, include_extras=True).items():
        if name == "return":
            continue
        if is_dataclass(hint) and isinstance(hint, type):
            groups[name] = hint
            hints = get_type_hints(hint, include_extras=True)
            parameters += [_keyword(field.name, hints[field.name], field.default) for field in fields(hint)]
        else:
            parameters.append(_keyword(name, hint, inspect.signature(command).parameters[name].default))

    @functools.wraps(command)
    def taking_each(**given: Any) -> None:
        made = {
            name: group(**{field.name: given.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        command(**given, **made)

    taking_each.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    taking_each.__annotations__ = {one.name: one.annotation for one in parameters}
    return taking_each


def _keyword(name: str, hint: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)


def by_flag(*groups: Any) -> dict[str, object]:
    """The values of groups of options, by what the user writes: `--run-id`."""
    return {
        f"--{field.name.replace('_', '-')}": getattr(group, field.name) for group in groups for field in fields(group)
    }


def local_folder(text: str | Path) -> Path:
    """A folder of this machine, from the words of an option."""
    if "://" in str(text):
        raise typer.BadParameter("must be a local folder; only single steps write elsewhere")
    return Path(text)


def load(path: Path) -> Config:
    """The configuration in a file, checked; `-` is stdin. The contracts are imported only here, on use."""
    from polyhead.contracts.config import load_config

    return load_config(path)


def table_place(path: Path, config: Config, table: str | None) -> str:
    """The table to read: the option as given, or the config's, relative to the config file."""
    from polyhead.storage.places import join

    return table if table is not None else join(str(path.parent.absolute()), config.table)


def destination(path: Path, config: Config, to: str | None) -> str:
    """Where to publish: the option as given, or the config's, relative to the config file; empty where neither is."""
    from polyhead.storage.places import join

    return to or (join(str(path.parent.absolute()), config.publish.to) if config.publish.to else "")


def compared(path: Path, config: Config, against: str | None) -> str | None:
    """The bundle to compare with: the option as given, or the config's, relative to the config file; None for none."""
    from polyhead.contracts.publication import LATEST
    from polyhead.evaluate.scoring.deployed import IN_FORCE
    from polyhead.storage.places import join

    wanted = against or config.evaluate.against
    if wanted == IN_FORCE:
        versions = destination(path, config, None)
        return join(versions, LATEST) if versions else wanted
    return wanted if against or wanted is None else join(str(path.parent.absolute()), wanted)


def then_train(
    path: Path, config: Config, shards: str, preprocessing: str, *, encoded: bool = False
) -> tuple[str | Path, ...]:
    """The command that comes after shards are written: train, or encode where there is something to encode."""
    from polyhead.storage.places import beside

    step = "encode" if config.encoded and not encoded else "train"
    return step, path, "--shards", shards, "--preprocessing", preprocessing, "--out", beside(shards, step)


def finish(
    result: BaseModel,
    as_json: bool,
    *,
    made: str = "",
    out: str = "",
    then: Sequence[str | Path] = (),
    each: Plan | None = None,
) -> None:
    """End a command: tell what was made and what comes next, and print what it came to, in words or as JSON.

    Args:
        result: What the step returned.
        as_json: Whether to print it as JSON.
        made: What was written.
        out: Where; empty where the result says so itself.
        then: The words of the command that comes next, without `polyhead`.
        each: The plan for whose partitions that command is called.
    """
    from polyhead.errors import counted
    from polyhead.progress import say

    if made:
        say(f"wrote {made}: {out}")
    if then:
        times = f", for each of {counted(len(each.partitions), 'partition')}" if each else ""
        say(f"next{times}: {shlex.join(['polyhead', *map(str, then)])}", whole=True)
    if as_json:
        print_json(result)
        return
    from polyhead.results import print_facts

    print_facts(result, out)


def print_json(value: BaseModel | dict[str, Any]) -> None:
    """Print a value to stdout; a contract as it is in its file."""
    from polyhead.contracts.artifact import Contract

    if isinstance(value, Contract):
        sys.stdout.write(value.content().decode())
        return
    data = value if isinstance(value, dict) else value.model_dump(mode="json", by_alias=True)
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
