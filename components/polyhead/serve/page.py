"""The page for trying a model: a form made from its features, and what it says."""

from __future__ import annotations

import json
from pathlib import Path

from polyhead.page.template import page_template
from polyhead.serve.model import ServedModel

_HERE = Path(__file__).parent


class Page:
    """The page's files, which never change while the model does not.

    Args:
        model: The model.
        name: What requests call it.
        max_bytes: Of a request.

    Attributes:
        files: By path: content and media type. No script is in the page itself, and none of the model's words are in
            a script: the browser runs nothing but `page.js`.
    """

    def __init__(self, model: ServedModel, name: str, max_bytes: int) -> None:
        levels = model.levels()
        heads = [{"name": head, "kind": kind, "level": levels.get(head)} for head, kind in model.heads().items()]
        example = {"instances": [dict.fromkeys((column.name for column in model.inputs), None)]}
        html = page_template(_HERE / "page.html.j2").render(
            name=name,
            fields=model.fields(),
            heads=heads,
            max_bytes=max_bytes,
            body=json.dumps(example, ensure_ascii=False),
        )
        self.files: dict[str, tuple[str, str]] = {
            "/": (html, "text/html"),
            "/page.css": (page_template(_HERE / "page.css.j2").render(), "text/css"),
            "/page.js": ((_HERE / "page.js").read_text(encoding="utf-8"), "text/javascript"),
        }
