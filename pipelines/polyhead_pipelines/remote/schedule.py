"""When a schedule starts runs: a cron expression as Kubeflow Pipelines takes it."""

from __future__ import annotations

import re

from polyhead.errors import Problem, SubmitError, counted

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("second", 0, 59, {}),
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    ("day of the week", 0, 6, {name: number for number, name in enumerate(_DAYS)}),
)


def parse_schedule(text: str) -> str:
    """A cron expression of six fields, as Kubeflow Pipelines wants it, of which the first is the second.

    Args:
        text: Five fields, as in a crontab, or six. Given five, second 0 is put before them: Kubeflow Pipelines
            would take the first of five for the second and leave the day of the week out.

    Raises:
        SubmitError: A field that is not a list of numbers, ranges and steps in its bounds.
    """
    fields = text.split()
    if len(fields) == 5:
        fields.insert(0, "0")
    if len(fields) != 6:
        raise SubmitError(
            "invalid-schedule",
            f"'{text}' has {counted(len(fields), 'field')}, not 5 or 6",
            where="--schedule",
            hint="'0 6 * * 1': Mondays at 6:00",
        )
    problems = []
    for field, (name, low, high, words) in zip(fields, _FIELDS, strict=True):
        if not all(_cron_part(part, low, high, words) for part in field.split(",")):
            what = f"'{field}' is not a valid {name}"
            problems.append(
                Problem(
                    "invalid-schedule",
                    what,
                    where="--schedule",
                    hint=f"*, or {low} to {high}, lists 1,2, ranges 1-5, steps */2",
                )
            )
    if problems:
        raise SubmitError(problems)
    return " ".join(fields)


def _cron_part(part: str, low: int, high: int, words: dict[str, int]) -> bool:
    found = re.fullmatch(r"(?:[*?]|(\w+)(?:-(\w+))?)(?:/0*[1-9]\d*)?", part)
    if found is None:
        return False
    ends = [words.get(end.upper(), end) for end in found.groups() if end is not None]
    if not all(str(end).isdecimal() and low <= int(end) <= high for end in ends):
        return False
    return len(ends) < 2 or int(ends[0]) <= int(ends[1])
