"""Rows for spreadsheets: what programs are told, and behind each amount in minor units the same in its currency's own unit."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from models.rules.currency import exponent
from worker.commands.screen import print_csv

_MINOR = "_minor"


def print_sheet(names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """names: the columns; behind each `..._minor` comes one without that ending. Each row has a `currency`."""
    header = [
        name for each in names for name in (each, *([each.removesuffix(_MINOR)] if each.endswith(_MINOR) else []))
    ]
    print_csv(header, (list(_cells(names, row)) for row in rows))


def _cells(names: Sequence[str], row: Mapping[str, Any]) -> Iterator[object]:
    for name in names:
        value = row[name]
        yield value
        if name.endswith(_MINOR):
            yield None if value is None else Decimal(value).scaleb(-exponent(row["currency"]))
