"""What can be wrong with the machine while a file is read."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

FAULTS: dict[str, tuple[BaseException, str]] = {
    "memory": (MemoryError(), "out-of-memory"),
    "process": (OSError(errno.EMFILE, "x"), "too-many-open-files"),
    "machine": (OSError(errno.ENFILE, "x"), "too-many-open-files"),
    "disk": (OSError(errno.ENOSPC, "x"), "disk-full"),
    "device": (OSError(errno.EIO, "x"), "system-error"),
    "share": (OSError(errno.ESTALE, "x"), "system-error"),
    "network": (TimeoutError(), "no-answer"),
    "permission": (PermissionError(errno.EACCES, "x"), "permission-denied"),
}
"""An error of the system, and its code, by what fails."""


def failing(error: BaseException) -> Callable[..., Any]:
    """A function that raises an error whatever it is called with."""

    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail
