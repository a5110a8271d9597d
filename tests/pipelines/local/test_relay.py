"""What a user sees on a terminal while child processes report."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
from rich.console import Console

from polyhead import progress
from polyhead.errors import Problem
from polyhead.progress import StepUse
from polyhead_pipelines.local.run import _kfp_output


def event(**content: object) -> str:
    return "    @polyhead " + json.dumps(content)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A terminal in the place of stderr."""
    text = io.StringIO()
    monkeypatch.setattr(progress, "console", Console(file=text, force_terminal=True, width=100, highlight=False))
    return text


def test_a_live_bar_takes_no_line_away_from_the_relay(screen: io.StringIO) -> None:
    """While a bar is on the screen, what KFP prints still reaches the relay, and none of it the screen."""
    relay = progress.Relay(lambda text: text.replace("/inside", "/out"))
    with _kfp_output(relay):
        print(event(step="validate"))
        print(event(label="check images", done=1, total=9, unit="images", rate="5 images/s", last_time=False))
        print("12:00:00 - INFO - noise of the runner")
        print(event(label="check images", done=9, total=9, unit="images", rate="5 images/s", last_time=True))
        print(event(say="9 of 9 rows clean, see /inside"))
        print(event(step="train"))
        print(event(label="train", done=1, total=3, unit="epochs", rate="joint score 0.9", last_time=False))
        print(
            event(
                error="the data", problems=[{"code": "no-rows", "what": "no row", "where": "/inside/x", "hint": "look"}]
            )
        )
    relay.close()
    assert relay.log == ["12:00:00 - INFO - noise of the runner"]
    assert relay.step == "train"
    assert relay.error == [Problem("no-rows", "no row", where="/out/x", hint="look")]
    shown = screen.getvalue()
    assert "9 of 9 rows clean, see /out" in shown
    assert "check images" in shown
    assert "joint score 0.9" in shown
    assert "noise" not in shown


def test_lines_are_wrapped_between_words_on_a_terminal_and_not_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A path longer than the terminal stays whole, so that it can be copied; a line's rest is indented."""
    monkeypatch.setenv("TERM", "xterm")
    path = "/a/path/that/is/longer/than/the/whole/line/rejected.parquet"
    problem = Problem(
        "file-not-found",
        f"no such file as {path} there",
        where="line 3",
        hint="look at the folder and at the configuration again",
    )
    shown = {}
    ways: dict[str, dict[str, Any]] = {"terminal": {"force_terminal": True, "width": 40}, "pipe": {"width": 40}}
    for name, options in ways.items():
        text = io.StringIO()
        monkeypatch.setattr(progress, "console", Console(file=text, highlight=False, color_system=None, **options))
        progress.say("11 epochs, the best is epoch 9 with a joint score of 0.5; 41,234 parameters")
        progress.show_error("the data", [problem])
        progress.say("next: polyhead preprocess polyhead.yaml --data V --out P", whole=True)
        shown[name] = text.getvalue().splitlines()
    assert shown["pipe"] == [
        "  11 epochs, the best is epoch 9 with a joint score of 0.5; 41,234 parameters",
        "error: a problem with the data",
        f"  line 3: no such file as {path} there [file-not-found]",
        "    → look at the folder and at the configuration again",
        "  next: polyhead preprocess polyhead.yaml --data V --out P",
    ]
    assert shown["terminal"] == [
        "  11 epochs, the best is epoch 9 with",
        "    a joint score of 0.5; 41,234",
        "    parameters",
        "error: a problem with the data",
        "  line 3: no such file as",
        f"    {path}",
        "    there [file-not-found]",
        "    → look at the folder and at the",
        "      configuration again",
        "  next: polyhead preprocess polyhead.yaml --data V --out P",
    ]


def test_what_steps_took_is_shown_and_kept(screen: io.StringIO) -> None:
    """A step that ends while another one runs beside it is named."""
    relay = progress.Relay(str)
    with _kfp_output(relay):
        print(event(step="shard plan"))
        print(event(finished="shard plan", seconds=0.26, peak_memory=211_600_000))
        print(event(step="shard partition 0"))
        print(event(step="shard partition 1"))
        print(event(finished="shard partition 0", seconds=12.0, peak_memory=1_234_000_000))
    relay.close()
    assert relay.uses == [StepUse("shard plan", 0.26, 211_600_000), StepUse("shard partition 0", 12.0, 1_234_000_000)]
    lines = [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line).rstrip() for line in screen.getvalue().splitlines()]
    assert lines == [
        "shard plan",
        "  0.3 s, 212 MB at most",
        "shard partition 0",
        "shard partition 1",
        "  shard partition 0 took 12.0 s, 1,234 MB at most",
    ]
