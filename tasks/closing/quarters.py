"""Quarters of a year, the periods of returns."""

from calendar import monthrange
from datetime import date
from typing import NamedTuple, Self


class Quarter(NamedTuple):
    """The second quarter of 2026 is written 2026-Q2."""

    year: int
    number: int
    """from 1 to 4"""

    @classmethod
    def of(cls, day: date) -> Self:
        return cls(day.year, (day.month + 2) // 3)

    @property
    def first(self) -> date:
        return date(self.year, 3 * self.number - 2, 1)

    @property
    def last(self) -> date:
        month = 3 * self.number
        return date(self.year, month, monthrange(self.year, month)[1])

    def __str__(self) -> str:
        return f"{self.year}-Q{self.number}"
