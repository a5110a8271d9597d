"""Every text of a page reads on what is behind it, on light and on dark paper."""

from __future__ import annotations

import pytest

from polyhead.kinds.targets.class_report import FULL
from polyhead.page.colours import DARK, LIGHT

Colour = tuple[float, float, float]


def channels(colour: str) -> Colour:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def luminance(colour: Colour) -> float:
    """Relative, as WCAG 2.2 defines it."""
    red, green, blue = (of / 12.92 if of <= 0.04045 else ((of + 0.055) / 1.055) ** 2.4 for of in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Colour, other: Colour) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_the_count_in_a_full_cell_of_a_matrix_reads(palette: dict[str, str]) -> None:
    for kind in ("first", "second"):
        colour, panel = channels(palette[kind]), channels(palette["panel"])
        red, green, blue = (FULL / 100 * a + (1 - FULL / 100) * b for a, b in zip(colour, panel, strict=True))
        assert contrast((red, green, blue), channels(palette["ink"])) >= 4.5


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_texts_read_on_paper(palette: dict[str, str]) -> None:
    papers = {"good": "good-paper", "bad": "bad-paper"}
    for ink in ("ink", "muted", "link", "good", "bad"):
        for paper in ("paper", papers.get(ink, "panel")):
            assert contrast(channels(palette[ink]), channels(palette[paper])) >= 4.5
