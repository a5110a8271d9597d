"""Fixtures of the tests of what is shipped: the command line in this process."""

from commandline import polyhead  # noqa: F401
