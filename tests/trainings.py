"""What tests that train share."""

from __future__ import annotations

import pytest


class Killed(BaseException):
    """Stands for a signal."""


def leave_out_serving(patch: pytest.MonkeyPatch) -> None:
    """Have trainings leave the SavedModel out, which takes longer than they do."""
    from polyhead.train import export

    patch.setattr(export, "export_serving", lambda *arguments: arguments[-1].mkdir(exist_ok=True) or {})
