"""The bytes of a letter, read back by the standard library: nothing lost, nothing slipped in, no line too long."""

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tasks.errors import AddressRefused
from tasks.ports import Attachment, Letter
from worker.adapters.mime import MailAddress, Sender, as_bytes, recipient

LETTER = Letter(
    message_id="<order-7.confirmation@prorata.example>",
    to="anna@customer.example",
    subject="Order 7 is confirmed",
    text="Hello\n",
    html="<p>Hello</p>\n",
    language="en",
)
SENDER = Sender(MailAddress.read("billing@prorata.example"), "Prorata", None)


def made(letter: Letter, sender: Sender = SENDER) -> bytes:
    return as_bytes(letter, sender=sender, to=recipient(letter), date=datetime(2026, 6, 1, tzinfo=UTC))


def read(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=policy.default)
    assert [part.defects for part in message.walk() if part.defects] == []
    return message


def body(message: EmailMessage, subtype: str) -> str:
    part = message.get_body((subtype,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "€ ä 寿司 \N{NARROW NO-BREAK SPACE}\n",
        "-- \nProrata \n\n",
        "--=_alternative--\n--=_mixed\n=_\n",
        ".\n..\nFrom here\n",
        "=3D = =\n",
        "tab\t\n end ",
        "word " * 500 + "\n",
        "x" * 5000 + "\n",
        "é" * 3000,
    ],
)
def test_any_text_is_read_as_it_was_written(text: str) -> None:
    pdf = Attachment("a.pdf", "application/pdf", bytes(range(256)) * 40)
    raw = made(replace(LETTER, text=text, html=f"<p>{text}</p>", attachments=(pdf,)))
    message = read(raw)
    assert body(message, "plain").rstrip("\n") == text.rstrip("\n")
    assert body(message, "html").rstrip("\n") == f"<p>{text}</p>"
    assert [part.get_payload(decode=True) for part in message.iter_attachments()] == [pdf.content]
    assert max(map(len, raw.split(b"\r\n"))) <= 78
    assert raw.replace(b"\r\n", b"").isascii()
    assert b"\n" not in raw.replace(b"\r\n", b"")


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_every_line_end_becomes_the_mails_own(end: str) -> None:
    assert body(read(made(replace(LETTER, text=f"one{end}two"))), "plain") == "one\ntwo\n"


@pytest.mark.parametrize(
    "subject",
    [
        "",
        "Order 7: “Équipe” – 12 €",
        "many words " * 40,
        "Ein Wort, das länger ist als erlaubt: " + "ä" * 200,
        "  two  spaces  ",
        "a=?b and c?=",
        'quotes "and" <brackets>, commas; colons:',
    ],
)
def test_a_subject_keeps_its_words_on_short_lines(subject: str) -> None:
    raw = made(replace(LETTER, subject=subject))
    assert read(raw)["Subject"] == subject.strip()
    assert longest_line(raw) <= 78


READABLE = st.text(st.characters(codec="utf-8", categories=("L", "M", "N", "P", "S")), min_size=1, max_size=90)
WORDS = READABLE | st.sampled_from(["Équipe", "Prorata", "à", "für", "😀" * 30, "=?utf-8?q?x?=", "=?", "ü" * 90])
SENTENCES = st.lists(WORDS, min_size=1, max_size=20).map(" ".join)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(SENTENCES)
@example("Prorata Docs Équipe et Prorata Board Équipe")
@example("Il tuo abbonamento: Prorata Docs Qualità e Prorata Board Città Qualità Società")
def test_words_in_any_script_keep_the_spaces_between_them(text: str) -> None:
    raw = made(replace(LETTER, subject=text), replace(SENDER, name=text))
    assert read(raw)["Subject"] == text
    assert sender_s_name(raw) == (text, "billing@prorata.example")
    assert longest_line(raw) <= 78
    assert raw.isascii()


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(st.characters(codec="utf-8")), st.text("\r\n \x0b\x85\u2028:Bcé", max_size=120))
def test_whatever_a_header_is_told_it_stays_the_only_one_of_its_name(one: str, other: str) -> None:
    message = read(made(replace(LETTER, subject=one + other), replace(SENDER, name=other + one)))
    assert sorted(message.keys()) == sorted(read(made(LETTER)).keys())


@pytest.mark.parametrize(
    ("subject", "lines"),
    [
        ("Order 7 is confirmed", ["Subject: Order 7 is confirmed"]),
        ("x" * 69, ["Subject: " + "x" * 69]),
        (
            "Your seats of Prorata Docs Team and of Prorata Board Team, and two  spaces",
            [
                "Subject: Your seats of Prorata Docs Team and of Prorata Board Team, and",
                " two  spaces",
            ],
        ),
    ],
)
def test_a_subject_in_ascii_is_readable_as_it_travels(subject: str, lines: list[str]) -> None:
    head = made(replace(LETTER, subject=subject)).decode().partition("\r\n\r\n")[0]
    assert "\r\n".join(lines) + "\r\nContent-Language: " in head


def sender_s_name(raw: bytes) -> tuple[str, str]:
    """As RFC 2047 reads it: no space between encoded words. The policy that reads the rest puts one into a long name."""
    name, address = parseaddr(message_from_bytes(raw)["From"].replace("\r\n", ""))
    return str(make_header(decode_header(name))), address


def longest_line(raw: bytes) -> int:
    return max(map(len, raw.partition(b"\r\n\r\n")[0].split(b"\r\n")))


@pytest.mark.parametrize(
    "name",
    [
        "Rechnung Nº 7.pdf",
        'a"b\\c; d.pdf',
        "a\r\nContent-Type: text/html\r\n\r\n.pdf",
        "lang " * 40 + ".pdf",
        "ä" * 120 + ".pdf",
    ],
)
def test_a_file_keeps_its_name_and_brings_no_header(name: str) -> None:
    raw = made(replace(LETTER, attachments=(Attachment(name, "application/pdf", b"%PDF"),)))
    (part,) = read(raw).iter_attachments()
    assert (part.get_content_type(), part.get_filename()) == (
        "application/pdf",
        " ".join(name.split("\r\n\r\n")).replace("\r\n", " "),
    )
    assert max(map(len, raw.split(b"\r\n"))) <= 998


def test_an_international_recipient_gets_utf_8_headers_and_others_ascii() -> None:
    raw = made(replace(LETTER, to="jörg@customer.example"))
    assert "To: jörg@customer.example\r\n".encode() in raw
    assert made(LETTER).isascii()


def test_an_international_address_for_answers_gets_utf_8_headers_too() -> None:
    sender = replace(SENDER, reply_to=MailAddress.read("bücher@prorata.example"))
    assert sender.international
    assert "Reply-To: bücher@prorata.example\r\n".encode() in made(LETTER, sender)


ENCODED = [
    "=?utf-8?q?victim=40other.example=2c?=@x.example",
    "=?utf-8?q?=3Ca=40b.c=3E?=@x.example",
    "=?utf-8?q?a=00b?=@x.example",
    "=?utf-8?q?a=0d=0aBcc=3a_b?=@x.example",
    "=?utf-8?b?!?=@x.example",
    "=?utf-8?q??=@x.example",
    "=?utf-8?q?ü?=@x.example",
    "a=?b@x.example",
]
"""what a program that decodes too much shows as another address, or cannot decode"""


@pytest.mark.parametrize("address", ENCODED)
def test_an_address_with_an_encoded_word_is_none(address: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        recipient(replace(LETTER, to=address))
    assert refused.value.code == "5.1.3"
    with pytest.raises(ValueError, match="not an email address"):
        MailAddress.read(address)


@pytest.mark.parametrize("address", ENCODED)
def test_no_address_is_decoded_wherever_it_came_from(address: str) -> None:
    forced = MailAddress(address, not address.isascii())
    raw = as_bytes(LETTER, sender=Sender(forced, "", forced), to=forced, date=datetime(2026, 6, 1, tzinfo=UTC))
    assert raw.startswith(f"From: {address}\r\nTo: {address}\r\nReply-To: {address}\r\nDate: ".encode())


ATOMS = st.text("abzAZ09!#$%&'*+-/=?^_`{|}~.üñ寿=?qb", min_size=1, max_size=64)
DOMAINS = st.sampled_from(["customer.example", "müller.example", f"{'b' * 60}.{'c' * 60}.example"])
ANYTHING = st.text(st.characters(codec="utf-8"), max_size=80)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(ATOMS | ANYTHING, DOMAINS)
def test_an_address_is_refused_or_written_as_it_is(local: str, domain: str) -> None:
    letter = replace(LETTER, to=f"{local}@{domain}")
    try:
        to = recipient(letter)
    except AddressRefused:
        return
    assert f"\r\nTo: {to.address}\r\nDate: ".encode() in made(letter)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(ANYTHING, ANYTHING, st.text("\r\n\0\t \";\\'%*=?é", max_size=200))
def test_no_text_stops_a_letter(subject: str, name: str, file: str) -> None:
    pdf = Attachment(file, "application/pdf", b"%PDF")
    letter = replace(LETTER, subject=subject + file, text=name, html=name, attachments=(pdf,))
    message = read(made(letter, replace(SENDER, name=name)))
    assert [part.get_payload(decode=True) for part in message.iter_attachments()] == [b"%PDF"]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(SENTENCES | ANYTHING)
@example("=?utf-8?b?!?=")
@example("=?utf-8?q??=.pdf")
@example("=?utf-8?q?a=0d=0ab?=")
def test_no_name_of_a_file_stops_a_letter(name: str) -> None:
    made(replace(LETTER, attachments=(Attachment(name, "application/pdf", b"%PDF"),)))
