"""Pages from templates that lie beside the code that fills them and build on `base.html.j2`."""

from __future__ import annotations

import base64
from functools import cache
from pathlib import Path

import jinja2

from polyhead.page import colours
from polyhead.page.tables import breakable, short


@cache
def page_template(path: Path) -> jinja2.Template:
    """A template in which every text is escaped, with filters for texts and pictures, and the pages' looks.

    Args:
        path: Of the template. It may extend `base.html.j2` of this package, which has the style sheet, the layout with
            its navigation and the security policy, and import `parts.html.j2`, which has tables and figures.
    """
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
    )
    environment.filters["short"] = short
    environment.filters["breakable"] = breakable
    environment.filters["base64"] = lambda content: base64.b64encode(content).decode()
    environment.globals |= {"light": colours.LIGHT, "dark": colours.DARK, "font": colours.FONT}
    return environment.from_string(path.read_text(encoding="utf-8"))
