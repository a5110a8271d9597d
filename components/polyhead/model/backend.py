"""Loading TensorFlow, without the lines that its native code prints while it starts."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from polyhead.storage.parallel import available_cpus


def load() -> None:
    """Import TensorFlow and Keras, quietly. Takes 6 to 8 seconds the first time in a process.

    What native code prints meanwhile (which instructions the build uses, that no GPU was found) is shown only
    when the import fails, or when the user set `TF_CPP_MIN_LOG_LEVEL`. TensorFlow's warnings are shown likewise.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        import keras
        import tensorflow as tf

        _limit_threads()
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with _held_back_stderr():
        import keras  # noqa: F401
        import tensorflow as tf

        _limit_threads()
        tf.config.list_physical_devices()
    tf.get_logger().setLevel("ERROR")  # it warns that functions are traced again, which each fold of a table does


def _limit_threads() -> None:
    """Have TensorFlow count processors as Polyhead does: it knows nothing of a container's quota."""
    import tensorflow as tf

    with contextlib.suppress(RuntimeError):  # it runs already, with the threads that it has
        if not tf.config.threading.get_intra_op_parallelism_threads():
            tf.config.threading.set_intra_op_parallelism_threads(available_cpus())
        if not tf.config.threading.get_inter_op_parallelism_threads():
            tf.config.threading.set_inter_op_parallelism_threads(available_cpus())


@contextlib.contextmanager
def _held_back_stderr() -> Iterator[None]:
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(original, held.read())
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)
