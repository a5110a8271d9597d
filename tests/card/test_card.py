"""`polyhead card`: what the contracts say, in Markdown and HTML, with nothing of the data as markup."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from refusals import refusal

from polyhead.card.step import run
from polyhead.card.writing import as_html, as_markdown
from polyhead.contracts.bundle import ModelBundle
from polyhead.errors import ArtifactError
from polyhead.page.markdown import escaped


class Tags(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_card_has_data_scores_slices_gate_limits_and_provenance(polyhead: Any, made: Any) -> None:
    """Markdown on stdout, every number as the report has it."""
    result = polyhead("card", made.bundle, made.evaluation)
    assert result.code == 0, result.err
    titles = re.findall(r"(?m)^##? (.*)$", result.out)
    assert titles == ["table", "Model", "Data", "Scores", "Slices", "Gate", "Limits", "Provenance"]
    assert "| accuracy ↑ |" in result.out
    assert "- beware" in result.out
    assert f"| bundle | {ModelBundle.read(made.bundle).fingerprint()} |" in result.out


def test_json_is_a_summary_for_programs(polyhead: Any, made: Any) -> None:
    """Small, and with the scores by head."""
    facts = json.loads(polyhead("card", made.bundle, made.evaluation, "--json").out)
    assert facts["version"] == ModelBundle.read(made.bundle).fingerprint()[:16]
    assert facts["verdict"] == "passed"
    assert facts["heads"]["sold"]["headline"] == "accuracy"
    assert set(facts["heads"]["price"]["metrics"]) >= {"r2", "mae", "rmse"}
    assert "beware" in facts["limits"]


def test_html_runs_nothing_and_holds_no_markup_of_the_data(polyhead: Any, made: Any, tmp_path: Path) -> None:
    """A hostile note and slice are text."""
    result = polyhead("card", made.bundle, made.evaluation, "-o", tmp_path / "card.html")
    assert (result.code, result.out) == (0, ""), result.err
    page = Tags()
    page.feed((tmp_path / "card.html").read_text(encoding="utf-8"))
    assert not {"script", "b", "a", "img"} & set(page.tags)
    assert "<script>alert(1)</script>" in page.text
    assert "red | <b>" in page.text


def test_markdown_holds_no_markup_of_the_data(made: Any) -> None:
    """No tag, no link, and a cell stays a cell."""
    text = as_markdown(run(bundle=made.bundle, evaluation=made.evaluation))
    assert "<" not in text
    assert "](" not in text.replace("\\](", "")
    rows = [line for line in text.splitlines() if "red \\|" in line]
    assert len(rows) == 2
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 8 for row in rows)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain text, 0.5 (half)", "plain text, 0.5 (half)"),
        ("a_b*c`d", r"a\_b\*c\`d"),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("- no list\n# no title", r"\- no list \# no title"),
        ("12. no list", r"12\. no list"),
        ("0.81", "0.81"),
        ("---", r"\---"),
        ("https://evil.example www.evil.example", r"https\://evil.example www\.evil.example"),
        ("[a](javascript:x)", r"\[a\](javascript\:x)"),
    ],
)
def test_texts_stay_texts(text: str, expected: str) -> None:
    """In Markdown too."""
    assert escaped(text) == expected


def test_the_same_model_gives_the_same_bytes(made: Any) -> None:
    """There are no times in a card."""
    cards = [run(bundle=made.bundle, evaluation=made.evaluation) for _ in range(2)]
    assert as_html(cards[0]) == as_html(cards[1])


def test_artifacts_that_do_not_belong_together_are_refused(made: Any, tmp_path: Path) -> None:
    """And so is what is none of them."""
    other = made.another(tmp_path / "E", made_from={"bundle": "f" * 64})
    with refusal(ArtifactError, "origin-mismatch", shows=["f" * 12]):
        run(bundle=made.bundle, evaluation=other)
    with refusal(ArtifactError, "artifact-not-found", where=made.data):
        run(bundle=made.data, evaluation=made.evaluation)
