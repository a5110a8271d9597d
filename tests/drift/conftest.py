"""A model that was never trained, and the command line."""

from commandline import polyhead  # noqa: F401
from made import made  # noqa: F401
