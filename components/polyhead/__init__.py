"""Polyhead: from a table to a trained, evaluated, servable multi-input, multi-head Keras model.

    import polyhead as ph

    config = ph.infer(frame, targets=["price", "band"])  # prints what it proposes, and why
    model = ph.fit(frame, config)                        # checks, trains, evaluates
    model.report                                         # the verdict and the scores
    model.predict(new_rows)

Each of these names is imported when it is first used: `import polyhead` itself takes a moment. Type checkers read them
in `__init__.pyi`, and rooms below this one import nothing of it but the version.
"""

from __future__ import annotations

import importlib

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
    "mlflow": "polyhead.mlflow",
    "submit": "polyhead.api.submitting",
}
__all__ = ["__version__", *_HOMES]  # noqa: PLE0604  # the names are text


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'polyhead' has no attribute '{name}'")
    home = importlib.import_module(_HOMES[name])
    value = home if home.__name__ == f"{__name__}.{name}" else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
