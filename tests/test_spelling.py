"""How numbers are spelled, in the report, on the terminal and in the gate's words."""

from __future__ import annotations

import math

import pytest

from polyhead.contracts.evaluation import Interval
from polyhead.spelling import number, signed, span


@pytest.mark.parametrize(
    ("value", "text", "with_sign"),
    [
        (None, "–", None),
        (math.nan, "–", "–"),
        (math.inf, "–", "–"),
        (0.0, "0", "0"),
        (-0.0, "0", "0"),
        (-1e-9, "0", "0"),
        (-0.0004, "−0.0004", "−0.0004"),
        (0.00012345, "0.00012", "+0.00012"),
        (1.0, "1.00", "+1.00"),
        (0.9996, "1.00", "+1.00"),
        (-0.016, "−0.0160", "−0.0160"),
        (12.649, "12.6", "+12.6"),
        (999.4, "999", "+999"),
        (999.7, "1,000", "+1,000"),
        (-1234.5, "−1,234", "−1,234"),
        (2.5e17, "2.50e+17", "+2.50e+17"),
    ],
)
def test_a_number_has_three_digits_and_no_sign_on_nothing(
    value: float | None, text: str, with_sign: str | None
) -> None:
    assert number(value) == text
    if value is not None:
        assert signed(value) == with_sign


def test_an_interval_is_its_two_ends_or_nothing() -> None:
    assert span(Interval(low=-0.5, high=0.25, method="m")) == "−0.500 to 0.250"
    assert span(Interval(reason="9 rows, an interval needs 10")) == ""
