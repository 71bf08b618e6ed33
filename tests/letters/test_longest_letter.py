"""Gmail shows the first 102 KB of a letter's HTML and cuts off the rest."""

import pytest

from models.accounts import Language
from models.rules import quote
from models.rules.cart import MAX_LINES, Action, CartLine
from models.rules.proration import Granularity
from models.rules.quoted_line import Clock
from models.states import LetterKind
from tasks.letters.enclosed import Enclosed, Owed
from tasks.letters.names import ProductNames
from tasks.letters.wording import Wording
from tasks.ports import Letter
from tests.letters.orders import OFFER, REVERSE_CHARGE, TEN_DAYS_LEFT, letter, running
from tests.letters.test_every_letter import INVOICED, TO_BE_PAID

SHOWN = 102_000
"""bytes"""
DUE_OF_ONE = 260_34
TERMS, BANK_ACCOUNT = "Please pay by bank transfer.", "IBAN: DE02 1203 0000 0000 2020 51"


def changed(lines: int, language: Language, *, name: str = "Product {}") -> Letter:
    """A confirmation of that many changes, invoiced under the reverse charge: no other lines have as much to tell."""
    codes = [f"p{number}" for number in range(lines)]
    quoted = quote.compute(
        [CartLine(Action.CHANGE, code, "business", 15) for code in codes],
        offers=dict.fromkeys(codes, OFFER),
        running=dict.fromkeys(codes, running()),
        vat=REVERSE_CHARGE,
        balance_minor=0,
        clock=Clock(as_of=TEN_DAYS_LEFT, timezone="Europe/Berlin", granularity=Granularity.SECOND),
        charge_unit_minor=1,
    )
    owed = Owed(amount_minor=quoted.due_minor, due_at=TEN_DAYS_LEFT, terms=(TERMS,), bank_account=BANK_ACCOUNT)
    return letter(
        LetterKind.CONFIRMATION,
        quoted,
        language=language,
        names=ProductNames(
            products={code: name.format(number) for number, code in enumerate(codes)},
            tiers={(code, tier): tier.title() for code in codes for tier in ("team", "business")},
        ),
        order=INVOICED,
        enclosed=[Enclosed(kind=TO_BE_PAID.kind, number=TO_BE_PAID.number, owed=owed)],
    )


@pytest.mark.parametrize("language", Language)
def test_gmail_shows_the_sum_the_terms_and_the_bank_account_of_the_largest_order(language: Language) -> None:
    made = changed(MAX_LINES, language, name="An uncommonly long name of a product, number {}")
    due = Wording(language, "EUR", "UTC").money(MAX_LINES * DUE_OF_ONE)
    for said in (due, TERMS, BANK_ACCOUNT):
        assert 0 < made.html.encode().find(said.encode()) < SHOWN // 10


@pytest.mark.parametrize("language", Language)
def test_gmail_shows_all_of_an_order_with_forty_changes(language: Language) -> None:
    assert len(changed(40, language).html.encode()) < SHOWN
