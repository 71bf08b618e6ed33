"""Reading documents in tests: from the database, from a PDF, from a mailbox."""

from collections.abc import Sequence
from io import BytesIO
from uuid import UUID

from pypdf import PdfReader
from sqlalchemy import select

from models import invoices
from models.invoices import Invoice, InvoiceLine
from tasks.invoices.as_html import as_html
from tasks.invoices.as_pdf import as_pdf
from tasks.invoices.page import page
from tests.support.world import Customer, World


def documents(world: World, order_id: UUID) -> Sequence[Invoice]:
    """Of an order, in the order of their issue."""
    with world.begin() as session:
        return session.scalars(select(Invoice).where(Invoice.order_id == order_id).order_by(Invoice.id)).all()


def one(world: World, order_id: UUID) -> Invoice:
    (document,) = documents(world, order_id)
    return document


def summed_up(document: Invoice) -> tuple[str, int, int, int]:
    return document.number, document.net_minor, document.tax_minor, document.total_minor


def lines(world: World, document: Invoice) -> list[InvoiceLine]:
    with world.begin() as session:
        return invoices.lines_of(session, document)


def pdf(world: World, document: Invoice) -> bytes:
    return as_pdf(page(document, lines(world, document)))


def html(world: World, document: Invoice) -> str:
    return as_html(page(document, lines(world, document)))


def text_of(content: bytes) -> str:
    """What a reader of the PDF sees, with single spaces."""
    return " ".join(" ".join(part.extract_text() for part in PdfReader(BytesIO(content)).pages).split())


def attached(world: World, customer: Customer, subject: str) -> list[tuple[str, bytes]]:
    """(file name, content) of what came with the letter about `subject`."""
    listed = world.mailbox.listed(f"to:{customer.email}")
    mail = next(each for each in listed if subject in each["Subject"])
    parts = world.mailbox.read(mail["ID"])["Attachments"]
    return [(part["FileName"], world.mailbox.attachment(mail["ID"], part["PartID"]).content) for part in parts]
