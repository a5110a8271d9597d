"""The `polyhead` fixture of `commandline`, and a table whose pictures a pretrained network sees."""

from commandline import polyhead  # noqa: F401
from networks import seen, small_network  # noqa: F401
