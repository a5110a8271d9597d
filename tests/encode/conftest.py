"""A small network, and a table whose pictures it sees."""

from commandline import polyhead  # noqa: F401
from networks import seen, small_network  # noqa: F401
