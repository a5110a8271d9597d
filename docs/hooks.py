"""What MkDocs calls while it builds the pages: it adds those that lie beside the code, and leads their links.

A page links to files of the repository. On the site a link to another page leads there; one to any other file leads to
the repository where `repo_url` in mkdocs.yml names it, and is plain text otherwise.
"""

from __future__ import annotations

import html
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
BESIDE = {
    "index.md": "README.md",
    "architecture.md": "ARCHITECTURE.md",
    "benchmarks.md": "benchmarks/README.md",
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "images.md": "docker/README.md",
}
"""Pages of the site, and the files of the repository that they are."""
_PLACES = {source: page for page, source in BESIDE.items()}
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\((?!https?://|mailto:|#)([^)\s#]+)(#[^)\s]*)?\)")
_BAR = re.compile(r"`([^`\n]*\\\|[^`\n]*)`")
_FENCE = re.compile(r"(^ *```.*?^ *```$)", re.DOTALL | re.MULTILINE)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that lie beside the code, and the pictures that these show."""
    for page, source in BESIDE.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    for picture in (ROOT / "benchmarks").glob("*.svg"):
        files.append(File.generated(config, f"benchmarks/{picture.name}", abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Lead the links of a page, outside its code."""
    here = page.file.src_uri
    folder = posixpath.dirname(BESIDE.get(here, f"docs/{here}"))

    def led(link: re.Match[str]) -> str:
        mark, text, target, anchor = link[1], link[2], link[3], link[4] or ""
        path = posixpath.normpath(posixpath.join(folder, target))
        place = _PLACES.get(path, path.removeprefix("docs/") if path.startswith("docs/") else path)
        found = files.get_file_from_path(place)
        if found and found.inclusion.is_included():
            return f"{mark}[{text}]({posixpath.relpath(place, posixpath.dirname(here) or '.')}{anchor})"
        if not (ROOT / path).exists():
            return link[0]  # MkDocs warns of it
        return f"[{text}]({config.repo_url.rstrip('/')}/blob/HEAD/{path}{anchor})" if config.repo_url else text

    parts = _FENCE.split(markdown)
    return "".join(part if part.lstrip().startswith("```") else barred(_LINK.sub(led, part)) for part in parts)


def barred(markdown: str) -> str:
    r"""Write `\|` within code in a table as GitHub shows it, which Python's Markdown leaves as it is."""
    return _BAR.sub(lambda code: f"<code>{html.escape(code[1]).replace(chr(92) + '|', '&#124;')}</code>", markdown)
