"""Every kind of letter, in every language, for every kind of order."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from models.accounts import Language
from models.invoices import InvoiceKind
from models.rules.quote import Quoted
from models.states import LetterKind, PaymentKind
from tasks.letters.enclosed import Enclosed, Owed
from tasks.ports import Letter
from tests.letters.orders import (
    CUT,
    ORDER_ID,
    OUT_OF_SCOPE,
    PURCHASE,
    REVERSE_CHARGE,
    TEN_DAYS_LEFT,
    TRIAL,
    UPGRADE,
    letter,
    priced,
)
from tests.letters.reading import read

INVOICED = {
    "payment_kind": PaymentKind.INVOICE,
    "payment_due_at": TEN_DAYS_LEFT,
    "vat_number": "ESB12345674",
    "vat_provisional": True,
}
CREDIT_NOTE = Enclosed(kind=InvoiceKind.CREDIT_NOTE, number="CN-2026-000001", cancels="INV-2026-000001")
OWED = Owed(amount_minor=1190, due_at=TEN_DAYS_LEFT, terms=("Please pay.",))
TO_BE_PAID = Enclosed(kind=InvoiceKind.INVOICE, number="INV-2026-000002", owed=OWED)
PAID = Enclosed(kind=InvoiceKind.INVOICE, number="INV-2026-000002", paid=True)
VAT_BACK = Enclosed(kind=InvoiceKind.CREDIT_NOTE, number="CN-2026-000001")
ORDERS: dict[str, tuple[LetterKind, Quoted, dict[str, Any]]] = {
    "purchase": (LetterKind.CONFIRMATION, priced(PURCHASE), {}),
    "upgrade": (LetterKind.CONFIRMATION, priced(UPGRADE, balance_minor=5000), {"order": {"vat_set_aside": True}}),
    "rounded": (LetterKind.CONFIRMATION, priced(PURCHASE, balance_minor=5, charge_unit_minor=10), {}),
    "reduction": (LetterKind.CONFIRMATION, priced(CUT, TRIAL), {}),
    "invoiced": (
        LetterKind.CONFIRMATION,
        priced(UPGRADE, vat=REVERSE_CHARGE),
        {"order": INVOICED, "enclosed": [TO_BE_PAID]},
    ),
    "paid": (
        LetterKind.CONFIRMATION,
        priced(UPGRADE, vat=REVERSE_CHARGE),
        {"order": INVOICED, "enclosed": [PAID]},
    ),
    "abroad": (LetterKind.CONFIRMATION, priced(UPGRADE, vat=OUT_OF_SCOPE), {}),
    "trial": (LetterKind.TRIAL_WELCOME, priced(TRIAL), {}),
    "seats": (LetterKind.SEAT_PROMPT, priced(UPGRADE), {}),
    "refund": (LetterKind.REFUND_NOTICE, priced(UPGRADE, balance_minor=1000), {}),
    "vat-due": (
        LetterKind.VAT_CORRECTION,
        priced(PURCHASE),
        {"corrected_minor": 190, "enclosed": [CREDIT_NOTE, TO_BE_PAID]},
    ),
    "vat-back": (
        LetterKind.VAT_CORRECTION,
        priced(PURCHASE),
        {"corrected_minor": -190, "enclosed": [VAT_BACK]},
    ),
    "nothing-charged": (LetterKind.REFUND_NOTICE, priced(CUT), {}),
}

every_letter = pytest.mark.parametrize("language", Language, ids=lambda each: each.value)
every_order = pytest.mark.parametrize("name", ORDERS)
MONEY = re.compile(r"[−\d][\d.,  ]*\d(?: |)€|−?€[\d.,]+")


def composed(name: str, language: Language, **other: Any) -> Letter:
    kind, quoted, facts = ORDERS[name]
    return letter(kind, quoted, language=language, reason="subscription-changed", **{**facts, **other})


@every_letter
@every_order
def test_nothing_is_left_unfilled(name: str, language: Language) -> None:
    made = composed(name, language)
    for part in (made.subject, made.text, *read(made.html).texts):
        assert not re.search(r"%\(|\{\{|\{%|\bNone\b|Undefined|&amp;", part)
        assert part.strip()


@every_letter
@every_order
def test_text_and_html_say_the_same(name: str, language: Language) -> None:
    made = composed(name, language)
    seen = read(made.html)
    said = " ".join(made.text.split())
    unlinked = [text for text in seen.texts if text not in (made.subject, "Prorata GmbH")]
    assert [text for text in unlinked if " ".join(text.split()) not in said] == []
    assert set(seen.links) == set(re.findall(r"https://\S+", made.text))
    assert sorted(MONEY.findall(made.text)) == sorted(MONEY.findall("\n".join(seen.texts)))


@every_letter
@every_order
def test_text_fits_a_terminal(name: str, language: Language) -> None:
    lines = composed(name, language).text.splitlines()
    assert [line for line in lines if len(line) > 78 and not line.startswith("https://")] == []


@every_letter
@every_order
def test_figures_stand_at_the_right_edge(name: str, language: Language) -> None:
    text = composed(name, language).text
    figures = [line for line in text.splitlines() if re.search(r"\S {2,}−?[€\d][\d.,  ]*(?: €)?$", line)]
    assert {len(line) for line in figures} <= {76}


@every_order
def test_each_language_has_words_of_its_own(name: str) -> None:
    texts = {language: composed(name, language).text for language in Language}
    assert len(set(texts.values())) == len(Language)


@every_order
def test_german_goes_on_in_lower_case_after_the_comma_of_the_greeting(name: str) -> None:
    assert re.search(r"^Guten Tag .*,\n\n(?:[a-zäöü]|Ihre? )", composed(name, Language.DE).text, re.MULTILINE)


@every_order
def test_html_fetches_nothing_and_runs_nothing(name: str) -> None:
    seen = read(composed(name, Language.EN).html)
    assert not {"script", "img", "link", "iframe", "form"} & set(seen.tags)
    assert not re.search(r"@|url\(", "".join(seen.styles))
    assert {urlsplit(link).netloc for link in seen.links} <= {"billing.prorata.example"}


@every_order
def test_a_screen_reader_finds_tables_of_figures_by_their_titles_and_rows_by_their_labels(name: str) -> None:
    """Tables that only lay out are none to it; those with figures have a heading, and each figure its label."""
    kind, _, _ = ORDERS[name]
    seen = read(composed(name, Language.EN).html)
    tables = [facts for tag, facts in seen.attributes if tag == "table"]
    with_figures = [facts for facts in tables if facts.get("role") != "presentation"]
    labels = [facts for tag, facts in seen.attributes if tag == "th"]
    assert seen.tags.count("h2") == len(with_figures)
    assert bool(labels) == bool(with_figures) == (kind is not LetterKind.SEAT_PROMPT)
    assert {facts["scope"] for facts in labels} <= {"row"}


def test_a_letter_is_addressed_to_the_contact_in_the_orders_language() -> None:
    made = composed("purchase", Language.IT)
    assert (made.to, made.language) == ("ada@beispiel.example", "it")
    outer = next(facts for tag, facts in read(made.html).attributes if tag == "table")
    assert '<html lang="it">' in made.html
    assert outer["lang"] == "it", "Gmail drops the element html"


def test_outlook_which_knows_no_max_width_is_given_a_table_as_wide() -> None:
    html = composed("purchase", Language.EN).html
    assert re.findall(r"<!--\[if mso\]>(.*?)<!\[endif\]-->", html) == [
        '<table role="presentation" width="600" align="center" cellpadding="0" cellspacing="0" border="0">'
        '<tr><td style="padding:0;">',
        "</td></tr></table>",
    ]


@pytest.mark.parametrize("kind", LetterKind)
def test_the_message_id_comes_from_order_and_kind_alone(kind: LetterKind) -> None:
    made = {letter(kind, priced(UPGRADE, TRIAL), language=language).message_id for language in Language}
    assert made == {f"<order-{ORDER_ID}.{kind.value}@prorata.example>"}
