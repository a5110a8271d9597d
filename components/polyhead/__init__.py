"""Polyhead: from a table to a trained, evaluated, servable multi-input, multi-head Keras model.

    import polyhead as ph

    config = ph.infer(frame, targets=["price", "band"])  # prints what it proposes, and why
    model = ph.fit(frame, config)                        # checks, trains, evaluates
    model.report                                         # the verdict and the scores
    model.predict(new_rows)

Each of these names is imported when it is first used: `import polyhead` itself takes a moment.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polyhead.api.config import Config as Config
    from polyhead.api.config import infer as infer
    from polyhead.api.fitting import fit as fit
    from polyhead.api.model import Model as Model
    from polyhead.api.model import load as load
    from polyhead.api.reports import Report as Report
    from polyhead.api.submitting import Run as Run
    from polyhead.api.submitting import submit as submit
    from polyhead.errors import PolyheadError as PolyheadError
    from polyhead.errors import Problem as Problem

__version__ = "0.1.0"

_HOMES = {
    "Config": "polyhead.api.config",
    "Model": "polyhead.api.model",
    "PolyheadError": "polyhead.errors",
    "Problem": "polyhead.errors",
    "Report": "polyhead.api.reports",
    "Run": "polyhead.api.submitting",
    "fit": "polyhead.api.fitting",
    "infer": "polyhead.api.config",
    "load": "polyhead.api.model",
    "submit": "polyhead.api.submitting",
}
__all__ = ["Config", "Model", "PolyheadError", "Problem", "Report", "Run", "__version__", "fit", "infer", "load", "submit"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'polyhead' has no attribute '{name}'")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
