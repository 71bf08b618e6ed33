"""The mailbox itself: what it keeps, how it answers where Mailpit would, and that its pages are safe to look at."""

import asyncio
import os
import smtplib
import subprocess
import sys
from email.message import EmailMessage
from pathlib import Path

import pytest

from api_stub.stand_ins.mailbox import letters
from api_stub.stand_ins.mailbox.store import Store
from api_stub.stand_ins.state import open_state
from tests.support.mailbox import Mailbox, running_mailbox
from tests.support.stand_in_process import ROOT


def post(
    mailbox: Mailbox, *, to: str = "anna@customer.example", subject: str = "Hello", html: str = "", text: str = "Hi"
) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Billing <billing@prorata.example>", to, subject
    message["Message-ID"] = f"<{subject.split()[0]}@prorata.example>"
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    with smtplib.SMTP(mailbox.host, mailbox.port, "tests", timeout=240) as connection:
        connection.send_message(message)


def test_an_acknowledged_email_survives_kill_9(tmp_path: Path) -> None:
    with running_mailbox(tmp_path) as mailbox:
        post(mailbox, subject="Kept")
        mailbox.kill_and_restart()
        assert [email["Subject"] for email in mailbox.listed()] == ["Kept"]
        post(mailbox, subject="Next")
        assert [email["Subject"] for email in mailbox.listed()] == ["Next", "Kept"]


def test_faults_survive_a_restart(tmp_path: Path) -> None:
    with running_mailbox(tmp_path) as mailbox:
        mailbox.fail("down")
        mailbox.kill_and_restart()
        with pytest.raises(ConnectionRefusedError):
            post(mailbox)
        mailbox.heal()
        post(mailbox)
        assert len(mailbox.listed()) == 1


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("to:anna@customer.example", ["Order one"]),
        ("from:billing@prorata.example", ["Order two", "Order one"]),
        ('subject:"order two"', ["Order two"]),
        ("message-id:<Order@prorata.example>", ["Order two", "Order one"]),
        ("eleven seats", ["Order two"]),
        ("order -to:berta", ["Order one"]),
        ("is:unread", ["Order two", "Order one"]),
        ("has:attachment", []),
        ("zebra", []),
    ],
)
def test_search_speaks_mailpits_language(mailbox: Mailbox, query: str, found: list[str]) -> None:
    post(mailbox, subject="Order one", text="five seats")
    post(mailbox, subject="Order two", text="eleven\nseats", to="berta@customer.example")
    assert [email["Subject"] for email in mailbox.listed(query)] == found


def test_reading_an_email_marks_it_read(mailbox: Mailbox) -> None:
    post(mailbox)
    assert mailbox.http.get("/api/v1/messages").json()["unread"] == 1
    mailbox.read(mailbox.listed()[0]["ID"])
    assert mailbox.http.get("/api/v1/messages").json()["unread"] == 0
    assert mailbox.listed()[0]["Read"] is True


def test_a_list_comes_in_pages(mailbox: Mailbox) -> None:
    for number in range(3):
        post(mailbox, subject=f"Order {number}")
    page = mailbox.http.get("/api/v1/messages", params={"start": 1, "limit": 1}).json()
    assert [email["Subject"] for email in page["messages"]] == ["Order 1"]
    assert (page["total"], page["messages_count"], page["count"], page["start"]) == (3, 3, 1, 1)


def test_who_was_addressed_in_the_envelope_only_is_bcc(mailbox: Mailbox) -> None:
    with smtplib.SMTP(mailbox.host, mailbox.port, "tests", timeout=240) as connection:
        connection.sendmail(
            "a@b.example", ["anna@customer.example", "hidden@customer.example"], "To: anna@customer.example\r\n\r\nHi"
        )
    assert mailbox.read()["Bcc"] == [{"Name": "", "Address": "hidden@customer.example"}]


def test_chosen_emails_are_deleted_or_all(mailbox: Mailbox) -> None:
    for number in range(3):
        post(mailbox, subject=f"Order {number}")
    mailbox.http.request("DELETE", "/api/v1/messages", json={"IDs": [mailbox.listed()[0]["ID"]]})
    assert [email["Subject"] for email in mailbox.listed()] == ["Order 1", "Order 0"]
    mailbox.empty()
    assert mailbox.listed() == []


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/livez"])
def test_the_mailbox_says_that_it_is_there(mailbox: Mailbox, path: str) -> None:
    assert mailbox.http.get(path).status_code == 200


@pytest.mark.parametrize(
    "path", ["/api/v1/message/nothing", "/api/v1/message/latest", "/view/nothing", "/view/nothing.html"]
)
def test_an_email_that_is_not_there_is_404(mailbox: Mailbox, path: str) -> None:
    assert mailbox.http.get(path).status_code == 404


def test_pages_show_what_an_email_says_and_run_nothing_of_it(mailbox: Mailbox) -> None:
    evil = "<script>alert(1)</script>"
    post(mailbox, subject=f"Evil {evil}", text=evil, html=f"<p>Hello</p>{evil}")
    email_id = mailbox.listed()[0]["ID"]
    listing, page = mailbox.http.get("/"), mailbox.http.get(f"/view/{email_id}")
    for shown in (listing, page):
        assert "Evil &lt;script&gt;" in shown.text
        assert "<script" not in shown.text
        assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page.text
    letter = mailbox.http.get(f"/view/{email_id}.html")
    assert "<p>Hello</p>" in letter.text
    assert letter.headers["Content-Security-Policy"].startswith("sandbox allow-popups")
    assert "script-src" not in letter.headers["Content-Security-Policy"]


def test_an_attachment_that_could_run_is_only_downloaded(mailbox: Mailbox) -> None:
    message = EmailMessage()
    message["To"] = "anna@customer.example"
    message.set_content("Hi")
    message.add_attachment(b"<script>", maintype="text", subtype="html", filename='a"b.html')
    with smtplib.SMTP(mailbox.host, mailbox.port, "tests", timeout=240) as connection:
        connection.send_message(message, "a@b.example")
    email = mailbox.read()
    fetched = mailbox.attachment(email["ID"], email["Attachments"][0]["PartID"])
    assert fetched.headers["Content-Type"] == "application/octet-stream"
    assert fetched.headers["Content-Disposition"] == "attachment; filename*=UTF-8''a%22b.html"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n",
        b"Subject: =?utf-8?b?broken\r\nTo: @@\r\n\r\n\xff\xfe",
        b"Content-Type: text/plain; charset=nonsense\r\n\r\nHi",
    ],
)
def test_malformed_emails_are_kept_and_shown_too(mailbox: Mailbox, raw: bytes) -> None:
    with smtplib.SMTP(mailbox.host, mailbox.port, "tests", timeout=240) as connection:
        connection.sendmail("a@b.example", ["anna@customer.example"], raw)
    email_id = mailbox.listed()[0]["ID"]
    assert mailbox.http.get(f"/view/{email_id}").status_code == 200
    assert mailbox.http.get(f"/api/v1/message/{email_id}").status_code == 200


def test_an_email_that_breaks_its_reader_does_not_hide_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(raw: bytes) -> EmailMessage:
        if raw == b"broken":
            raise ValueError
        return reading(raw)

    reading = letters.read
    monkeypatch.setattr(letters, "read", read)
    store = Store(open_state(tmp_path / "mailbox.sqlite3"))
    for raw in (b"Subject: whole\r\n\r\n", b"broken"):
        store.add(raw, sender="a@b.example", recipients=["anna@customer.example"], username="")
    assert [(each.summary["Subject"], each.summary["Size"]) for each in asyncio.run(store.newest_first())] == [
        ("", 6),
        ("whole", 18),
    ]


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ({"kind": "earthquake"}, "unknown kind 'earthquake'; known: down, busy"),
        ({"kind": "down", "times": 1}, "down affects everybody, until the faults are cleared"),
        ({"kind": "busy", "times": 0}, "greater than or equal to 1"),
        ({"kind": "busy", "color": "red"}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_fault_is_refused_in_words(mailbox: Mailbox, fault: dict[str, object], complaint: str) -> None:
    answer = mailbox.http.post("/_control/faults", json=fault)
    assert answer.status_code == 422
    assert complaint in answer.text


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--smtp-port", "-1"], "Invalid value for '--smtp-port'"),
        (["--tls", "maybe"], "'maybe' is not one of 'none', 'starttls', 'implicit'"),
        (["--tls", "starttls"], "--tls starttls needs --certificate and --key"),
        (["--user", "prorata"], "--user and --password go together"),
    ],
)
def test_a_wrong_flag_is_named_and_nothing_starts(tmp_path: Path, flags: list[str], complaint: str) -> None:
    command = [sys.executable, "-m", "api_stub.stand_ins.mailbox", "--data", str(tmp_path / "m.sqlite3"), *flags]
    wide = {**os.environ, "COLUMNS": "200"}
    ended = subprocess.run(command, cwd=ROOT, env=wide, capture_output=True, text=True, timeout=240)
    assert ended.returncode == 2
    assert complaint in ended.stderr
