"""What tests that train share."""

from __future__ import annotations

import pytest


class Killed(BaseException):
    """Stands for a signal."""


def forbid_serving(patch: pytest.MonkeyPatch) -> None:
    """Have a training fail that makes a SavedModel."""
    from polyhead.train import export

    patch.setattr(export, "export_serving", lambda *_: pytest.fail("a SavedModel was made"))


def leave_out_serving(patch: pytest.MonkeyPatch) -> None:
    """Have trainings leave the SavedModel out, which takes longer than they do."""
    from polyhead.train import export

    patch.setattr(export, "export_serving", lambda *arguments: arguments[-1].mkdir(exist_ok=True) or {})
