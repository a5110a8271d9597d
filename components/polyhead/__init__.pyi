"""What type checkers know of the names that `polyhead` imports when they are first used."""

from typing import TYPE_CHECKING

__all__: list[str]
__version__: str

if TYPE_CHECKING:  # so that mypy looks at these last: they need all that is below this package
    from polyhead import mlflow as mlflow
    from polyhead.api.config import Config as Config
    from polyhead.api.config import infer as infer
    from polyhead.api.fitting import fit as fit
    from polyhead.api.model import Model as Model
    from polyhead.api.model import load as load
    from polyhead.api.reports import Report as Report
    from polyhead.api.submitting import Run as Run
    from polyhead.api.submitting import submit as submit
    from polyhead.errors import PolyheadError as PolyheadError
    from polyhead.errors import Problem as Problem
