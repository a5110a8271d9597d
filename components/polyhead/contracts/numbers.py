"""How a table spells numbers in text."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from polyhead.contracts.section import Data, Section
from polyhead.errors import InvalidValueError


class NumbersSection(Section):
    """How text spells numbers: all cells of CSV and TSV, strings in JSON Lines, Parquet and frames."""

    decimal: Data[Literal[".", ","]] = Field(".", description="What stands before the fraction. Default: a point.")
    thousands: Data[Literal[".", ",", " ", "'"] | None] = Field(
        None,
        description="What separates the thousands, in quotes; a space stands for narrow and no-break ones too. Numbers "
        "without it are read as well. Default: nothing does, and a cell with one is rejected.",
    )

    @model_validator(mode="after")
    def _distinct(self) -> NumbersSection:
        if self.decimal == self.thousands:
            raise InvalidValueError(
                "conflicting-keys",
                f"decimal and thousands are both '{self.decimal}': 1{self.decimal}234 would be two numbers",
            )
        return self
