"""A configuration that can be looked at, changed and saved."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from polyhead.api.html import listed, table
from polyhead.api.tables import Data, Given
from polyhead.contracts import config as contract
from polyhead.contracts.written import Remarks, flow, written
from polyhead.errors import DataError, did_you_mean
from polyhead.progress import result_console
from polyhead.storage.objects import write_whole
from polyhead.storage.places import is_remote, join

_FIELDS = {field.alias or name: field for name, field in contract.Config.model_fields.items()}
_SECTIONS = frozenset(name for name, field in _FIELDS.items() if field.annotation not in (str, str | None))
_NEEDED = ("features", "targets")
IN_MEMORY = "dataframe.parquet"
"""What the table of a configuration is called that was inferred from a frame."""


class Node(dict[str, Any]):
    """A part of a configuration: a dict whose keys can be read and set as attributes too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"'{name}' is not set here, so its default is in force") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(f"'{name}' is not set here") from None

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, _node(value))

    def __dir__(self) -> Iterator[str]:
        yield from (*super().__dir__(), *self)


class Config:
    """What `polyhead.yaml` says, to be changed in place.

    The keys of the file are attributes, and so are the keys below them: `config.train.epochs = 5`,
    `config.features.notes.vectorizer = "tfidf"`, `del config.features.zipcode`. They are dicts too, for names that are
    not known beforehand: `config.features["notes"]`. `check`, `save` and `fit` say what is wrong, all at once.

    >>> import polyhead as ph
    >>> config = ph.Config({"table": "houses.csv", "features": {"area": {"kind": "numeric"}},
    ...                     "targets": {"price": {"kind": "regression"}}})
    >>> config.train.epochs = 5
    >>> config.targets.price.transform = "log"
    >>> print(config)
    table: houses.csv
    features:
      area: {kind: numeric}
    targets:
      price: {kind: regression, transform: log}
    train: {epochs: 5}
    <BLANKLINE>
    >>> config.train.epoch = 6
    >>> config.check()
    Traceback (most recent call last):
    polyhead.errors.ConfigError: polyhead.yaml:6 train.epoch: unknown key 'epoch' (did you mean 'epochs'?) [unknown-key]

    Args:
        document: The values, as the file has them.
        remarks: The comments. Default: there are none.
        folder: Where a relative table lies. Default: the working directory.
    """

    def __init__(self, document: Mapping[str, Any], *, remarks: Remarks | None = None, folder: str = "") -> None:
        self._document = Node({name: _node(copy.deepcopy(value)) for name, value in document.items()})
        self._remarks = remarks or Remarks()
        self._as_remarked = copy.deepcopy(dict(document))
        self._folder = folder

    @classmethod
    def read(cls, path: str | Path) -> Config:
        """The configuration in a file.

        Args:
            path: A YAML file. Its comments are not kept.

        Raises:
            ConfigError: The file cannot be read, or anything in it is wrong; all problems at once.
        """
        file = contract.ConfigFile.read(path)
        return cls(file.document.mapping([]), folder=str(file.path.parent.absolute()))

    @classmethod
    def of(cls, given: Config | Mapping[str, Any] | contract.Config | str | Path) -> Config:
        """A configuration in whatever form: this one, a dict, a path."""
        if isinstance(given, Config):
            return given
        if isinstance(given, contract.Config):
            return cls(given.model_dump(mode="json", by_alias=True, exclude_defaults=True))
        if isinstance(given, Mapping):
            return cls(given)
        return cls.read(given)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in _FIELDS:
            raise AttributeError(f"a configuration has no '{name}': {did_you_mean(name, list(_FIELDS))}")
        if name in _SECTIONS and self._document.get(name) is None:
            self._document[name] = Node()
        return self._document.get(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            super().__setattr__(name, value)
        elif name not in _FIELDS:
            raise AttributeError(f"a configuration has no '{name}': {did_you_mean(name, list(_FIELDS))}")
        else:
            self._document[name] = value

    def __delattr__(self, name: str) -> None:
        self._document.pop(name, None)

    def __dir__(self) -> Iterator[str]:
        yield from (*super().__dir__(), *_FIELDS)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Config) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]  # it changes

    def to_dict(self) -> dict[str, Any]:
        """Its values as plain dicts and lists, in the file's order; sections that say nothing are left out."""
        values = {name: _plain(value) for name, value in self._document.items()}
        return {name: values[name] for name in _order(values) if values[name] or not isinstance(values[name], dict)}

    def check(self) -> contract.Config:
        """The whole configuration with its defaults, for reading.

        Raises:
            ConfigError: Anything is wrong; all problems at once.
        """
        return self.file().config

    def file(self) -> contract.ConfigFile:
        """The same with its text, as steps and pipelines take it.

        Raises:
            ConfigError: Anything is wrong; all problems at once.
        """
        return contract.ConfigFile.parse(str(self), Path(self._folder, "polyhead.yaml"))

    def save(self, path: str | Path) -> None:
        """Write the file, with the reasons as comments.

        Args:
            path: A YAML file, which is replaced.

        Raises:
            ConfigError: Anything is wrong; nothing is written then.
        """
        self.check()
        write_whole(str(path), str(self).encode())

    def place(self) -> str:
        """Where the table lies: absolute, or remote."""
        return join(str(Path(self._folder).absolute()), str(self.table))

    def destination(self) -> str:
        """Where a model that passed is published; empty without `publish.to`."""
        to = self.check().publish.to
        return join(str(Path(self._folder).absolute()), to) if to else ""

    def replaced(self, **values: Any) -> Config:
        """A copy with some keys replaced; None leaves a key as it is.

        Args:
            values: By key of the file, `key__inner` for one inside a section.
        """
        made = Config(self.to_dict(), remarks=self._remarks, folder=self._folder)
        made._as_remarked = self._as_remarked
        for path, value in values.items():
            *sections, name = path.split("__")
            if value is not None:
                where = made if not sections else getattr(made, sections[0])
                setattr(where, name, value)
        return made

    def __str__(self) -> str:
        document = self.to_dict()
        why = {path: reason for path, reason in self._remarks.why.items() if self._stands(path, document)}
        return written(document, Remarks(self._remarks.first, why, self._remarks.left_out))

    def _stands(self, path: Sequence[str], document: Mapping[str, Any]) -> bool:
        """Whether the value at a path is the one that a reason was given for."""
        now: Any = document
        then: Any = self._as_remarked
        for part in path:
            now, then = (values.get(part) if isinstance(values, Mapping) else None for values in (now, then))
        return bool(now == then)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        document = self.to_dict()
        rows = [
            (group[:-1], name, body.get("kind", ""), flow({k: v for k, v in body.items() if k != "kind"})[1:-1], why)
            for group in _NEEDED
            for name, body in document.get(group, {}).items()
            if isinstance(body, dict)
            for why in [self._remarks.why.get((group, name), "") if self._stands((group, name), document) else ""]
        ]
        others = [
            (name, flow(value) if isinstance(value, dict) else str(value), self._remarks.why.get((name,), ""))
            for name, value in document.items()
            if name not in _NEEDED
        ]
        left_out = [("left out", line, "") for line in self._remarks.left_out]
        return (
            table(("", "name", "kind", "options", "why"), rows)
            + table(("key", "value", "why"), [*others, *left_out])
            + listed(self._remarks.first)
        )


def infer(
    data: Data,
    targets: str | Sequence[str],
    *,
    image_root: str | Path | None = None,
    verbose: bool = True,
) -> Config:
    """Look at a table and propose a configuration, with the reason for every line.

    >>> import pandas as pd
    >>> import polyhead as ph
    >>> frame = pd.DataFrame({"area": [30.5 + i for i in range(60)], "town": ["Bonn", "Trier", "Mainz"] * 20,
    ...                       "rent": [400 + 13 * i % 97 for i in range(60)]})
    >>> config = ph.infer(frame, targets=["rent"], verbose=False)
    >>> config.features
    {'area': {'kind': 'numeric'}, 'town': {'kind': 'category'}}
    >>> config.targets.rent.kind
    'regression'

    Args:
        data: A path, a pandas or polars frame, or an Arrow table.
        targets: The columns to predict.
        image_root: The folder that paths of pictures start in, relative to the working directory. Default: the table's
            folder or one below it; of a frame, the working directory.
        verbose: Whether to print the configuration.

    Returns:
        A configuration that can be changed, saved, and given to `fit`. That of a frame has a name for its table that
        stands for the frame.

    Raises:
        DataError: A target is not a column or holds nothing to learn, or no column can be a feature; all at once.
    """
    from polyhead.tables.reading import read_table
    from polyhead.validate.infer import propose

    given = Given.of(data)
    names = [targets] if isinstance(targets, str) else list(targets)
    if not names:
        raise DataError("no-target", "no column to predict is named", where="targets", hint='give targets=["COLUMN"]')
    named = given.place or IN_MEMORY
    root = None if image_root is None else str(image_root)
    place = named if root is None else join(root, IN_MEMORY)
    proposal = propose(read_table(given.table), named, names, place=place)
    document, remarks = proposal.document(), proposal.remarks()
    if root is not None and (given.place is None or is_remote(root)):
        document["image_root"] = join(root, document.get("image_root", "."))
    elif root is not None:
        document["image_root"] = join(str(Path(root).absolute()), document.get("image_root", "."))
    config = Config(document, remarks=Remarks(proposal.notes, remarks.why, remarks.left_out))
    if verbose:
        result_console().print(str(config), end="", markup=False, soft_wrap=True)
    return config


def _order(values: Mapping[str, Any]) -> list[str]:
    """The keys in the order of the file; unknown ones come last, for the check to find."""
    return [*(name for name in _FIELDS if name in values), *(name for name in values if name not in _FIELDS)]


def _node(value: Any) -> Any:
    return Node({name: _node(inner) for name, inner in value.items()}) if isinstance(value, Mapping) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value
