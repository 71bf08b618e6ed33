"""What an email looks like when it has arrived, by the SMTP adapter through a real mail server."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from models.states import LetterKind
from tasks.errors import AddressRefused, Misconfigured
from tasks.letters import compose
from tasks.ports import Attachment, Letter, Mailer
from tests.support.mailbox import Mailbox, running_mailbox
from worker.adapters.mime import Sender
from worker.adapters.smtp import SmtpMailer
from worker.adapters.smtp_dialogue import Server
from worker.database import engine
from worker.settings import Settings
from worker.wiring import wired

NOON = datetime(2026, 6, 1, 12, 30, tzinfo=UTC)
MESSAGE_ID = "<order-0190f3a2-7c1e-7b5a-9d2f-3f6f1a2b4c5d.confirmation@prorata.example>"
LETTER = Letter(
    message_id=MESSAGE_ID,
    to="anna@customer.example",
    subject="Your order: 5 seats",
    text="Total due: €11.90\n.\n.hidden dots\n",
    html="<p>Total due: <b>€11.90</b></p>",
    language="en",
)


def mailer(mailbox: Mailbox, *, name: str = "Prorata Billing", reply_to: str | None = None) -> Mailer:
    sender = Sender.read("billing@prorata.example", name, reply_to=reply_to)
    return SmtpMailer(Server(host=mailbox.host, port=mailbox.port, tls="none"), sender, now=lambda: NOON)


def test_text_and_html_arrive_letter_for_letter(mailbox: Mailbox) -> None:
    mailer(mailbox).send(LETTER)
    email = mailbox.read()
    assert (email["Text"], email["HTML"].rstrip()) == (LETTER.text, LETTER.html)
    assert email["Subject"] == "Your order: 5 seats"
    assert email["From"] == {"Name": "Prorata Billing", "Address": "billing@prorata.example"}
    assert email["To"] == [{"Name": "", "Address": "anna@customer.example"}]


@pytest.mark.parametrize(
    ("given", "shown"),
    [({}, "Kanban SAS"), ({"mail_from_name": "Kanban, facturation"}, "Kanban, facturation")],
)
def test_a_letter_comes_from_the_seller_unless_another_name_is_given(
    mailbox: Mailbox, given: dict[str, str], shown: str
) -> None:
    as_set(mailbox, **given).send(LETTER)
    assert mailbox.read()["From"] == {"Name": shown, "Address": "billing@prorata.example"}


def test_the_envelope_has_the_senders_address_so_that_spf_speaks_for_its_domain(mailbox: Mailbox) -> None:
    as_set(mailbox, mail_reply_to="accounts@kanban.example").send(LETTER)
    assert mailbox.read()["ReturnPath"] == "billing@prorata.example"


@pytest.mark.parametrize(
    ("given", "shown"), [({}, None), ({"mail_reply_to": "accounts@kanban.example"}, ["accounts@kanban.example"])]
)
def test_an_answer_goes_to_the_sender_unless_another_address_is_given(
    mailbox: Mailbox, given: dict[str, str], shown: list[str] | None
) -> None:
    as_set(mailbox, **given).send(LETTER)
    assert mailbox.headers().get("Reply-To") == shown


@pytest.mark.parametrize(
    ("domain", "sent_as"),
    [
        ("stra\u00dfe.example", "xn--strae-oqa.example"),
        ("fa\u00df.example", "xn--fa-hia.example"),
        ("\u03b2\u03cc\u03bb\u03bf\u03c2.example", "xn--nxasmm1c.example"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("prorata.example", "prorata.example"),
    ],
)
def test_a_message_id_is_under_the_domain_that_the_letter_comes_from(
    mailbox: Mailbox, domain: str, sent_as: str
) -> None:
    chosen = settings(mailbox, mail_from=f"billing@{domain}")
    message_id = compose.message_id(UUID(int=7), LetterKind.CONFIRMATION, chosen.policy().seller.mail_domain)
    assert message_id == f"<order-{UUID(int=7)}.confirmation@{sent_as}>"
    wired(chosen, engine(chosen)).mailer.send(replace(LETTER, message_id=message_id))
    assert mailbox.read()["From"]["Address"] == f"billing@{sent_as}"


def as_set(mailbox: Mailbox, **given: str) -> Mailer:
    """The mailer of a process that has these settings."""
    chosen = settings(mailbox, **given)
    return wired(chosen, engine(chosen)).mailer


def settings(mailbox: Mailbox, **given: str) -> Settings:
    return Settings.model_validate(
        {
            "database_url": "postgresql+psycopg://nobody@127.0.0.1:1/nothing",
            "broker_url": "redis://127.0.0.1:1/0",
            "stripe_api_key": "sk_test_secret",
            "stripe_webhook_secret": "whsec_secret",
            "smtp_host": mailbox.host,
            "smtp_port": mailbox.port,
            "smtp_tls": "none",
            "seller_name": "Kanban SAS",
            **given,
        }
    )


def test_the_headers_are_exactly_these(mailbox: Mailbox) -> None:
    mailer(mailbox, reply_to="support@prorata.example").send(LETTER)
    headers = mailbox.headers()
    boundary = headers.pop("Content-Type")[0]
    assert boundary.startswith("multipart/alternative; boundary=")
    assert headers == {
        "From": ["Prorata Billing <billing@prorata.example>"],
        "To": ["anna@customer.example"],
        "Reply-To": ["support@prorata.example"],
        "Date": ["Mon, 01 Jun 2026 12:30:00 +0000"],
        "Message-ID": [MESSAGE_ID],
        "Subject": ["Your order: 5 seats"],
        "Content-Language": ["en"],
        "Auto-Submitted": ["auto-generated"],
        "MIME-Version": ["1.0"],
    }


def test_the_message_id_stands_on_one_line_as_given(mailbox: Mailbox) -> None:
    mailer(mailbox).send(LETTER)
    assert re.search(rb"^Message-ID:\s+" + re.escape(MESSAGE_ID.encode()) + rb"\r\n", mailbox.source(), re.MULTILINE)


def test_an_invoice_travels_with_the_letter_that_stays_text_and_html(mailbox: Mailbox) -> None:
    pdf = Attachment("Rechnung Nº 7 für Müller.pdf", "application/pdf", b"%PDF-1.7\r\n.\r\n\x00\xff")
    csv = Attachment("seats.csv", "text/csv", b"email\nanna@customer.example\n")
    mailer(mailbox).send(replace(LETTER, attachments=(pdf, csv)))
    email = mailbox.read()
    assert [(a["FileName"], a["ContentType"]) for a in email["Attachments"]] == [
        ("Rechnung Nº 7 für Müller.pdf", "application/pdf"),
        ("seats.csv", "text/csv"),
    ]
    fetched = [mailbox.attachment(email["ID"], a["PartID"]).content for a in email["Attachments"]]
    assert fetched == [pdf.content, csv.content]
    assert (email["Text"], mailbox.headers()["Content-Language"]) == (LETTER.text, ["en"])


def test_names_and_subjects_keep_their_letters_over_an_ascii_wire(mailbox: Mailbox) -> None:
    subject = "Votre commande n° 7 : l’offre « Équipe », 12 sièges supplémentaires à partir d’aujourd’hui, même façade — ≥ 10 %"
    mailer(mailbox, name="Prorata Büro, Jörg & Søn").send(replace(LETTER, subject=subject, language="fr-CA"))
    email = mailbox.read()
    assert (email["Subject"], email["From"]["Name"]) == (subject, "Prorata Büro, Jörg & Søn")
    assert mailbox.source().isascii()


def test_a_domain_outside_ascii_is_reached_by_its_ascii_name(mailbox: Mailbox) -> None:
    mailer(mailbox).send(replace(LETTER, to="anna@müller.example"))
    assert mailbox.read()["To"] == [{"Name": "", "Address": "anna@xn--mller-kva.example"}]


def test_a_name_outside_ascii_before_the_at_sign_is_kept(mailbox: Mailbox) -> None:
    mailer(mailbox).send(replace(LETTER, to="jörg@müller.example"))
    assert mailbox.read()["To"] == [{"Name": "", "Address": "jörg@xn--mller-kva.example"}]


def test_a_server_without_smtputf8_cannot_reach_such_a_name(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_mailbox(tmp_path_factory.mktemp("ascii"), "--smtputf8", "no") as mailbox:
        with pytest.raises(AddressRefused) as refused:
            mailer(mailbox).send(replace(LETTER, to="jörg@customer.example"))
        assert (refused.value.code, mailbox.listed()) == ("5.6.7", [])


@pytest.mark.parametrize("break_", ["\r\n", "\n", "\r", "\u2028", "\x0b"])
def test_a_line_break_in_a_subject_or_name_begins_no_header(mailbox: Mailbox, break_: str) -> None:
    evil = f"hello{break_}Bcc: victim@customer.example{break_}{break_}<script>"
    mailer(mailbox, name=evil).send(replace(LETTER, subject=evil))
    assert "Bcc" not in mailbox.headers()
    email = mailbox.read()
    assert (email["Subject"], email["Bcc"]) == ("hello Bcc: victim@customer.example <script>", [])
    assert email["Text"] == LETTER.text


@pytest.mark.parametrize(
    "to",
    ["", "anna", "anna@", "@customer.example", "a b@customer.example", "anna@customer.example\r\nBcc: b@c.example"],
)
def test_a_malformed_address_is_refused_before_anything_is_sent(mailbox: Mailbox, to: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        mailer(mailbox).send(replace(LETTER, to=to))
    assert refused.value.code == "5.1.3"
    assert mailbox.listed() == []


@pytest.mark.parametrize(
    "change",
    [
        {"message_id": "no-brackets@prorata.example"},
        {"message_id": "<two words@prorata.example>"},
        {"message_id": "<a@b.example>\r\nBcc: c@d.example"},
        {"language": "english please"},
        {"attachments": (Attachment("a.eml", "message/rfc822", b""),)},
    ],
)
def test_a_letter_that_we_built_wrongly_needs_a_person(mailbox: Mailbox, change: dict[str, object]) -> None:
    with pytest.raises(Misconfigured):
        mailer(mailbox).send(replace(LETTER, **change))  # type: ignore[arg-type]
    assert mailbox.listed() == []


def test_one_mailer_serves_many_threads(mailbox: Mailbox) -> None:
    shared = mailer(mailbox)
    letters = [replace(LETTER, to=f"anna{number}@customer.example", text=f"seat {number}") for number in range(30)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(shared.send, letters))
    arrived = {(email["To"][0]["Address"], email["Snippet"]) for email in mailbox.listed()}
    assert arrived == {(f"anna{number}@customer.example", f"seat {number}") for number in range(30)}
