"""The one palette and font of every page, for light and for dark paper."""

from __future__ import annotations

LIGHT = {
    "paper": "#ffffff",
    "panel": "#f4f6f9",
    "ink": "#18202a",
    "muted": "#566170",
    "line": "#dde2e9",
    "strong-line": "#b4bdc9",
    "link": "#0b5cad",
    "good": "#146c33",
    "good-paper": "#e6f6ea",
    "bad": "#a8122a",
    "bad-paper": "#fdebec",
    "first": "#1f6fb5",
    "second": "#b1520a",
    "third": "#1b8a5a",
    "fourth": "#8a4fbf",
    "fifth": "#b8860b",
    "sixth": "#c2437e",
}
DARK = {
    "paper": "#12161b",
    "panel": "#1b2129",
    "ink": "#e7ebf0",
    "muted": "#a3aebb",
    "line": "#2c343f",
    "strong-line": "#556170",
    "link": "#74b9ff",
    "good": "#66d488",
    "good-paper": "#132b1b",
    "bad": "#ff938b",
    "bad-paper": "#371a1d",
    "first": "#5aa7e8",
    "second": "#f0954a",
    "third": "#4fc48f",
    "fourth": "#b98be6",
    "fifth": "#d9b03c",
    "sixth": "#ea82b0",
}
"""`ink`, `muted`, `link`, `good` and `bad` read on `paper` and on their own papers with a contrast of 4.5 at least; the
series from `first` to `sixth` stand out from `paper` with 3 at least."""

SERIES = ("first", "second", "third", "fourth", "fifth", "sixth")
"""Colours of lines in one chart, in the order in which they are taken."""

FONT = "system-ui, -apple-system, Segoe UI, Roboto, Noto Sans, sans-serif"
