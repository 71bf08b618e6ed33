"""The PDF as a file: what a strict reader makes of it, what it does with too much text, and with many threads."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from models.accounts import Language
from tasks.invoices import pdf_style as style
from tasks.invoices.as_pdf import as_pdf
from tasks.invoices.items import Item
from tasks.invoices.page import Page, Part
from tasks.invoices.pdf_file import Text
from tasks.invoices.pdf_layout import shortened
from tasks.invoices.pdf_table import sums, table
from tasks.invoices.printable import can_be_printed
from tasks.letters.content import Row, Weight
from tasks.letters.wording import Wording
from tests.invoices.documents import text_of

ITEM = Item("Desk Team", ("billed monthly",), "10", "€10.00", "€100.00", "19%", "€19.00")
PAGE = Page(
    language="en",
    title="Invoice",
    number="INV-2026-000001",
    seller=Part("Prorata GmbH", ("Musterstraße 1", "10115 Berlin")),
    buyer=Part("Customer", ("Ada Byron",)),
    facts=(Row("Number", "INV-2026-000001"),),
    about="",
    columns=("Description", "Seats", "Price per seat", "Net", "VAT rate", "VAT"),
    items=(ITEM,),
    totals=(Row("Total", "€119.00", Weight.TOTAL),),
    notes=(),
    arithmetic=(Part("Desk Team", ("10 × €10.00 = €100.00, 3 ÷ 2 − 1.",)),),
    legal_notice="",
    arithmetic_title="How the amounts are calculated",
    page_of="Page {page} of {pages}",
)


def read(page: Page) -> PdfReader:
    return PdfReader(BytesIO(as_pdf(page)), strict=True)


def test_a_strict_reader_reads_it_with_its_title_and_language(caplog: pytest.LogCaptureFixture) -> None:
    reader = read(PAGE)
    assert reader.metadata is not None
    assert (reader.metadata.title, reader.metadata.author) == ("Invoice INV-2026-000001", "Prorata GmbH")
    assert str(reader.root_object["/Lang"]) == "en"
    assert b"/ViewerPreferences<</DisplayDocTitle true>>" in as_pdf(PAGE), "or the window shows the file's name"
    assert "10 × €10.00 = €100.00, 3 ÷ 2 − 1." in reader.pages[0].extract_text()
    assert caplog.text == ""


def test_the_typeface_of_a_pdf_is_embedded_in_two_weights() -> None:
    embedded = re.findall(rb"/FontName/[A-Z]{6}\+([A-Za-z-]+)/.*/FontFile2 \d+ 0 R", as_pdf(PAGE))
    assert embedded == [b"DejaVuSansCondensed", b"DejaVuSansCondensed-Bold"]


def test_each_subset_of_a_typeface_has_a_tag_of_its_own_and_always_the_same() -> None:
    """So that documents can be merged: by an equal tag, one's letters would stand in the other."""

    def tags(buyer: str) -> list[bytes]:
        return re.findall(rb"/FontName/([A-Z]{6})\+", as_pdf(replace(PAGE, buyer=Part("Customer", (buyer,)))))

    (plain, bold), (greek, same) = tags("Ada"), tags("Ελλάς")
    assert (len({plain, bold, greek}), same) == (3, bold)
    assert tags("Ada") == tags("Ada Byron") == [b"QPKZGK", b"SJDQAI"]


@pytest.mark.parametrize("name", ["Ελλάς & Żółć", "Юг Ёж", "ŐŰ ğış ĀĒ", "寿司 株式会社", "a\N{NO-BREAK SPACE}b"])
def test_any_name_can_be_copied_out_of_it(name: str) -> None:
    assert name in read(replace(PAGE, buyer=Part("Customer", (name,)))).pages[0].extract_text()


ANY_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=200)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(ANY_TEXT, ANY_TEXT, st.lists(ANY_TEXT, max_size=4))
def test_no_text_stops_a_document(name: str, product: str, lines: list[str]) -> None:
    buyer, items = Part(name, tuple(lines)), (replace(ITEM, title=product),)
    assert read(replace(PAGE, buyer=buyer, items=items, notes=tuple(lines), legal_notice=name)).pages


def test_a_word_longer_than_its_column_is_broken_and_nothing_of_it_is_lost() -> None:
    word = "".join(chr(ord("a") + number % 26) for number in range(300))
    said = text_of(as_pdf(replace(PAGE, buyer=Part("Customer", (word,)))))
    assert word in said.replace(" ", "")


def test_a_long_unbroken_name_ends_before_the_facts_beside_it() -> None:
    name = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenfabrikation"
    said = read(replace(PAGE, buyer=Part("Customer", (name,)))).pages[0].extract_text()
    lines = [line for line in said.split("\n") if len(line) > 10 and line in name]
    assert "".join(lines) == name
    assert max(style.TEXT.face.width(line, style.TEXT.size) for line in lines) <= (87 - 5) * style.MM


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Prorata GmbH", "Prorata GmbH"),
        ("Prorata Softwareentwicklungs- und Vertriebs-GmbH", "Prorata Softwareentwicklungs- und Vertriebs-GmbH"),
        (
            "Prorata Softwareentwicklungs- und Vertriebsgesellschaft mbH & Co. KG",
            "Prorata Softwareentwicklungs- und Vertriebsgesell…",
        ),
    ],
)
def test_a_foot_keeps_the_sellers_name_clear_of_the_documents_number(name: str, shown: str) -> None:
    said = text_of(as_pdf(replace(PAGE, seller=Part(name, ()))))
    assert said.endswith(f" {shown} INV-2026-000001 Page 1 of 1")


@pytest.mark.parametrize("width", [0, 5, 20, 60])
def test_a_shortened_name_is_no_wider_than_its_room_and_breaks_off_after_a_letter(width: float) -> None:
    short = shortened("Ada Byron", style.TEXT, width)
    assert style.TEXT.face.width(short, style.TEXT.size) <= max(width, style.TEXT.face.width("…", style.TEXT.size))
    assert "Ada Byron".startswith(short.removesuffix("…"))
    assert " …" not in short


SEATS = 1_000_000


def large(w: Wording, minor: int, *, unit: int) -> Page:
    """A document of so much for so many seats, and its mirror below it."""
    figures = (w.number(SEATS), w.money(unit), w.money(minor), w.percent(Decimal(27)), w.money(minor * 27 // 100))
    back = (w.number(SEATS), "", w.money(-minor), w.percent(Decimal(27)), w.money(-minor * 27 // 100))
    items = (Item("Desk Team", ("billed annually",), *figures), Item("Desk Team", ("billed annually",), *back))
    return replace(PAGE, items=items, totals=(Row("Net", w.money(-minor)), Row("Total", w.money(minor), Weight.TOTAL)))


def figures_of(page: Page) -> list[str]:
    cells = [(item.seats, item.unit, item.net, item.rate, item.tax) for item in page.items]
    return [" ".join(" ".join(row).split()) for row in cells] + [" ".join(row.value.split()) for row in page.totals]


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize(
    ("currency", "unit", "minor"),
    [
        ("HUF", 48_000_00, 12_000_000_00),
        ("IDR", 4_800_000_00, 1_200_000_000_00),
        ("CHF", 1_23, 1_234_567_89),
        ("KWD", 123, 123_456_789),
        ("IRR", 9_223_372_036_854_77, 9_223_372_036_854_775_807),
    ],
)
def test_a_seat_count_or_an_amount_stays_whole_however_long(
    language: Language, currency: str, unit: int, minor: int
) -> None:
    """The last is the largest that the database can hold."""
    page = large(Wording(language, currency, "UTC"), minor, unit=unit)
    said = text_of(as_pdf(page))
    assert [figures for figures in figures_of(page) if figures not in said] == []


@pytest.mark.parametrize("minor", [100_00, 12_000_000_00, 1_200_000_000_00, 9_223_372_036_854_775_807])
def test_figures_stand_beside_each_other_within_the_table(minor: int) -> None:
    page = large(Wording(Language.DE, "HUF", "UTC"), minor, unit=minor)
    _, rows = table(page.columns, page.items, 500)
    for marks in [*(row.marks for row in rows), sums(page.totals, 500).marks]:
        texts = [mark for mark in marks if isinstance(mark, Text)]
        edges = {(mark.x, mark.x + mark.style.face.width(mark.text, mark.style.size), mark.y) for mark in texts}
        assert max(right for _, right, _ in edges) <= 500.01
        assert [(a, b) for a in edges for b in edges if a[2] == b[2] and a[0] < b[0] < a[1] + 4] == []


@pytest.mark.parametrize("minor", [12_000_000_00, 1_200_000_000_00])
def test_the_description_gives_way_before_figures_are_set_smaller(minor: int) -> None:
    page = large(Wording(Language.EN, "IDR", "UTC"), minor, unit=4_800_000_00)
    _, rows = table(page.columns, page.items, 493)
    sizes = {mark.style.size for row in rows for mark in row.marks if isinstance(mark, Text) and mark.style.right}
    assert sizes == {9}


def test_a_table_over_several_pages_repeats_its_head() -> None:
    items = tuple(replace(ITEM, title=f"Desk {number}") for number in range(60))
    texts = [page.extract_text() for page in read(replace(PAGE, items=items)).pages]
    assert len(texts) == 4
    assert [text.count("Price per seat") for text in texts] == [1, 1, 1, 1]
    assert all(f"Page {number} of 4" in text for number, text in enumerate(texts, 1))
    assert [sum(f"Desk {number}\n" in text for text in texts) for number in range(60)] == [1] * 60


@pytest.mark.parametrize("rows", range(1, 30))
def test_sums_and_notes_stay_with_the_last_row_below_the_head_of_the_table(rows: int) -> None:
    items = [
        replace(ITEM, title=f"Row {n:02}", details=("billed monthly", "November", "Reverse charge"))
        for n in range(rows)
    ]
    *_, last = read(
        replace(PAGE, items=tuple(items), notes=("Reverse charge.", "Our bank account: IBAN"), arithmetic=())
    ).pages
    shown = last.extract_text()
    order = [shown.find(said) for said in ("Price per seat", f"Row {rows - 1:02}", "Total", "Our bank account: IBAN")]
    assert order == sorted(order)
    assert order[0] >= 0


@pytest.mark.parametrize("lines", range(7, 24))
def test_a_single_row_stands_below_the_parties_whatever_follows_it(lines: int) -> None:
    """However long names and addresses are, what a legal notice takes, and what the document says before its rows."""
    page = replace(
        PAGE,
        buyer=Part("Customer", ("Ada Byron",) * lines),
        about="Replaces INV-2026-000000.",
        notes=tuple(f"Note {n}" for n in range(20)),
        legal_notice=" ".join(["Amtsgericht"] * 83),
        arithmetic=(),
    )
    first, last = read(page).pages
    assert "Desk Team" in first.extract_text()
    assert "Note 19" in last.extract_text()


def test_a_document_without_rows_has_its_sums_below_the_head_of_the_table() -> None:
    [page] = read(replace(PAGE, items=(), arithmetic=())).pages
    shown = page.extract_text()
    assert 0 <= shown.find("Price per seat") < shown.find("Total")


def test_notes_as_long_as_a_page_leave_the_sums_with_the_last_row() -> None:
    notes = tuple(f"Note {n}" for n in range(47))
    first, last = read(replace(PAGE, items=(ITEM,) * 9, notes=notes, arithmetic=())).pages
    assert "Total" in first.extract_text()
    assert [note for note in notes if note not in last.extract_text()] == []


@pytest.mark.parametrize("place", ["notes", "buyer"])
def test_a_text_longer_than_a_page_goes_on_overleaf_line_for_line(place: str) -> None:
    lines = tuple(f"Line {number}." for number in range(200))
    filled = replace(PAGE, notes=lines) if place == "notes" else replace(PAGE, buyer=Part("Customer", lines))
    texts = [page.extract_text() for page in read(filled).pages]
    assert len(texts) > 3
    assert [sum(line in text.split("\n") for text in texts) for line in lines] == [1] * 200


@pytest.mark.parametrize("unseen", ["\u00ad", "\u061c", "\u180e", "\u200b", "\u2060", "\ufe0f", "\U000e0100"])
def test_what_shows_nothing_is_not_drawn(unseen: str) -> None:
    """The typeface draws a soft hyphen as a hyphen, and a box for what it does not know."""
    plain, marked = (replace(PAGE, buyer=Part("Customer", (name,))) for name in ("Südwind AG", f"Süd{unseen}wind AG"))
    assert can_be_printed(f"Süd{unseen}wind AG")
    assert as_pdf(marked) == as_pdf(plain)


def test_what_shows_nothing_takes_no_room_from_the_sellers_name_in_the_foot() -> None:
    name = "Süd\u00adwind\u200b AG"
    room = style.FOOT_STRONG.face.width("Südwind AG", style.FOOT_STRONG.size)
    assert shortened(name, style.FOOT_STRONG, room) == "Südwind AG"


def test_threads_get_the_bytes_that_one_gets() -> None:
    pages = [replace(PAGE, buyer=Part("Customer", (f"Имя {chr(0x410 + number)}",))) for number in range(24)]
    alone = [as_pdf(page) for page in pages]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(as_pdf, pages * 3)) == alone * 3


def test_a_legal_notice_as_long_as_it_may_be_stands_on_every_page_above_the_foot() -> None:
    notice = " ".join(["Amtsgericht"] * 83)
    assert len(notice) <= 1000
    pages = read(replace(PAGE, items=(ITEM,) * 60, legal_notice=notice)).pages
    texts = [" ".join(each.extract_text().split()) for each in pages]
    assert len(texts) > 2
    assert all(f"{notice} Prorata GmbH" in text for text in texts)
    assert sum(text.count("Desk Team") for text in texts) == 61
