"""The bytes of a letter, read back by the standard library: nothing lost, nothing slipped in, no line too long."""

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

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
    head = raw.partition(b"\r\n\r\n")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 87


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
