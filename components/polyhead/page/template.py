"""Pages from templates that lie beside the code that fills them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import jinja2

from polyhead.page import charts
from polyhead.page.tables import short


@cache
def page_template(path: Path) -> jinja2.Template:
    """A template in which every text is escaped, with the filter `short` and the pages' colours and font.

    Args:
        path: Of the template.
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["short"] = short
    environment.globals |= {"light": charts.LIGHT, "dark": charts.DARK, "font": charts.FONT}
    return environment.from_string(path.read_text(encoding="utf-8"))
