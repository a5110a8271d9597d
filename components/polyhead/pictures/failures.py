"""What goes wrong with a picture: its file is to blame, or the machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from polyhead.errors import machine_fault


class PictureError(Exception):
    """A picture that cannot be used, on any machine.

    Attributes:
        reason: A word for counting: image_missing, image_web_address, image_outside_root, image_not_a_file,
            image_unreadable, image_needs_package, image_too_large, image_changed.
        detail: One line for a person.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@contextlib.contextmanager
def work_on(path: str) -> Iterator[None]:
    """Name the picture when the machine fails in the block, where it is read, decoded or encoded.

    Args:
        path: As the table has it.

    Raises:
        MachineError: Memory, file handles, the disk or the network are to blame, and not the picture.
    """
    try:
        yield
    except (MemoryError, OSError) as error:
        fault = machine_fault(error, path)
        if fault is None:
            raise
        raise fault from None
