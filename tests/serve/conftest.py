"""`served` is a bundle of every kind of feature that was never trained, with its SavedModel, and a server of it."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import requests
from commandline import polyhead  # noqa: F401
from conftest import write_tiny

HOSTILE = "<script>alert('x')</script>"
FEATURES: dict[str, Any] = {
    "photo": {"kind": "image", "size": [16, 16]},
    "size": {"kind": "numeric"},
    "colour": {"kind": "category"},
    "note": {"kind": "text", "analyzer": "words"},
    "bought": {"kind": "datetime"},
    "shades": {"kind": "multicategory"},
    "point": {"kind": "vector"},
    "fresh": {"kind": "boolean"},
}
TARGETS: dict[str, Any] = {
    "price": {"kind": "regression"},
    "shape": {"kind": "multiclass"},
    "sold": {"kind": "binary"},
    "tags": {"kind": "multilabel"},
}


def _more(frame: pd.DataFrame) -> pd.DataFrame:
    rows = range(len(frame))
    return frame.assign(
        colour=[HOSTILE if row % 6 == 0 else colour for row, colour in zip(rows, frame["colour"], strict=True)],
        bought=[f"2024-0{1 + row % 9}-11" for row in rows],
        shades=[("red|blue", "green", "[]")[row % 3] for row in rows],
        point=[f"[{row % 5}, {row % 3}]" for row in rows],
        fresh=[("yes", "no")[row % 2] for row in rows],
    )


LIMITS: dict[str, Any] = {
    "bytes": 200_000,
    "rows": 40,
    "concurrent": 4,
    "held": 10**6,
    "seconds": 60,
    "threads": 2,
}


@dataclass(frozen=True)
class Served:
    """A bundle, its SavedModel and a server of it.

    Attributes:
        bundle: The artifact of `train`.
        folder: Where its table and pictures lie.
        url: Of the server.
        answer: The SavedModel's signature.
        model: What the server asks.
    """

    bundle: Path
    folder: Path
    url: str
    answer: Any
    model: Any

    def post(self, path: str, body: Any) -> requests.Response:
        """Ask the server; the body is JSON, or bytes as they are."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return requests.post(self.url + path, data=content, timeout=60)

    def get(self, path: str) -> requests.Response:
        return requests.get(self.url + path, timeout=60)


def start(application: Any) -> tuple[str, Callable[[], None]]:
    """An application in a thread of this process: its address, and what ends it."""
    import uvicorn

    from polyhead.serve.server import listening_at

    taken = listening_at("127.0.0.1", 0)
    taken.listen(256)
    server = uvicorn.Server(uvicorn.Config(application, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)

    def end() -> None:
        server.should_exit = True
        thread.join(30)
        taken.close()

    return f"http://127.0.0.1:{taken.getsockname()[1]}", end


@pytest.fixture(scope="session")
def untrained(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a table, and in `T` of a bundle whose network has the weights that it began with."""
    from polyhead.contracts.bundle import BUNDLED_CONFIG, BUNDLED_PREPROCESSING, Conformity, ModelBundle
    from polyhead.contracts.config import load_config
    from polyhead.contracts.preprocessing import ROW_FILES, Fitted
    from polyhead.model.build import build_core
    from polyhead.preprocess import step as preprocess
    from polyhead.storage.artifact import close_artifact
    from polyhead.train.export import export_serving
    from polyhead.train.sizes import sized
    from polyhead.validate import step as validate

    folder = tmp_path_factory.mktemp("served")
    data = write_tiny(folder, change=_more, features=FEATURES, targets=TARGETS, model={"width": 8})
    config = load_config(data.config)
    validate.run(config=config, table=str(data.table), out=folder / "V")
    held = preprocess.run(config=config, data=folder / "V", out=folder / "P")
    fitted = Fitted.of(held, config, folder / "P")
    conformity = {
        name: Conformity(level=0.9, radius=radius, rows=4) for name, radius in {"price": 2.0, "shape": 0.9}.items()
    }
    bundle = ModelBundle(
        made_from={"config": config.fingerprint(ModelBundle), "preprocessing": held.fingerprint()},
        heads={name: target.kind for name, target in config.targets.items()},
        parameters=7,
        epochs=0,
        best_epoch=0,
        best_score=1.0,
        seed=0,
        sizes={},
        warnings=[],
        corrections={},
        ensemble={},
        calibrations={},
        decisions={},
        conformity=conformity,
    )
    out = folder / "T"
    out.mkdir()
    shutil.copytree(folder / "P", out / BUNDLED_PREPROCESSING, ignore=shutil.ignore_patterns(*ROW_FILES))
    (out / BUNDLED_CONFIG).write_text(config.model_dump_json(by_alias=True), encoding="utf-8")
    core = build_core(fitted, sized(config, held.rows["train"])[0])
    signatures = export_serving(core, fitted, {}, {"sold": [0.5], "tags": [0.5, 0.5]}, bundle.radii, out / "serving")
    close_artifact(out, bundle.model_copy(update={"signatures": signatures}))
    return folder


@pytest.fixture(scope="session")
def served(tf: Any, untrained: Path) -> Iterator[Served]:
    """See the module's first lines."""
    pytest.importorskip("starlette", reason="pip install 'polyhead[serve]'")
    from polyhead.serve.app import Limits, application
    from polyhead.serve.model import ServedModel

    model = ServedModel(untrained / "T", max_pixels=10_000)
    url, end = start(application(model, "things", Limits(**LIMITS)))
    answer = tf.saved_model.load(str(untrained / "T" / "serving")).signatures["serving_default"]
    yield Served(untrained / "T", untrained, url, answer, model)
    end()


@pytest.fixture
def starts(served: Served) -> Iterator[Callable[..., str]]:
    """Starts a server of the same model with other limits, one thread unless it says otherwise; gives its address."""
    from polyhead.serve.app import Limits, application

    ends = []

    def with_limits(**limits: Any) -> str:
        url, end = start(
            application(served.model, "things", Limits(**{**LIMITS, "concurrent": 64, "threads": 1, **limits}))
        )
        ends.append(end)
        return url

    yield with_limits
    for end in ends:
        end()
