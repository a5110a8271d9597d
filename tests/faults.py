"""What can be wrong with the machine while a file is read."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

FAULTS: dict[str, BaseException] = {
    "memory ran out": MemoryError(),
    "too many files are open in this process": OSError(errno.EMFILE, "x"),
    "too many files are open on this machine": OSError(errno.ENFILE, "x"),
    "no space is left on the disk": OSError(errno.ENOSPC, "x"),
    "cannot be read: Input/output error": OSError(errno.EIO, "x"),
    "cannot be read: Stale file handle": OSError(errno.ESTALE, "x"),
    "cannot be read: no answer came": TimeoutError(),
    "permission denied": PermissionError(errno.EACCES, "x"),
}
"""An error of the system by the words that a user reads of it."""


def failing(error: BaseException) -> Callable[..., Any]:
    """A function that raises an error whatever it is called with."""

    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail
