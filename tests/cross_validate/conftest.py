"""The `polyhead` fixture of `commandline`."""

from commandline import polyhead  # noqa: F401
