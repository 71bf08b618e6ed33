"""What letters say of the documents they bring: that they are attached, what is to be paid on them, and what is not any more."""

from dataclasses import replace

import pytest

from models.accounts import Language
from models.orders import Order
from models.states import LetterKind
from tasks.billing import attachments, receivables
from tasks.letters.enclosed import Enclosed
from tasks.operating import support_refund
from tasks.policy import VatOutage
from tests.invoices.documents import attached, documents, one, pdf, text_of
from tests.support.vat_outage import NUMBER, during_outage, turns_out_invalid
from tests.support.world import SELLER, Customer, World, change, purchase

BANK = "Musterbank, IBAN DE02 1203 0000 0000 2020 51"


def said(world: World, customer: Customer, subject: str) -> str:
    """The letter about `subject`, with single spaces."""
    listed = world.mailbox.listed(f"to:{customer.email}")
    mail = next(each for each in listed if subject in each["Subject"])
    return " ".join(str(world.mailbox.read(mail["ID"])["Text"]).split())


def by_invoice(world: World) -> None:
    world.policy(invoice_on_vat=True, seller=replace(SELLER, bank_account=BANK))


def pay(world: World, number: str) -> None:
    with world.begin() as session:
        receivables.mark_paid(session, number, on=world.time, by="ops")


def test_the_confirmation_of_what_a_card_paid_says_that_the_invoice_is_attached_and_asks_for_nothing(
    world: World,
) -> None:
    ada = world.customer()
    world.buy(ada, purchase())
    letter = said(world, ada, "confirmed")
    assert "Invoice INV-2026-000001 is attached." in letter
    assert "Please pay" not in letter


def test_the_confirmation_of_an_order_to_be_paid_by_transfer_says_how(world: World) -> None:
    by_invoice(world)
    ada = world.customer(card=None, vat_number="DE136695976")
    world.buy(ada, purchase())
    assert (
        "Invoice INV-2026-000001 is attached. Please pay €119.00 by 1 December 2026 by bank transfer, quoting"
        f" INV-2026-000001. Our bank account: {BANK}."
    ) in said(world, ada, "confirmed")


@pytest.mark.parametrize(
    ("language", "subject", "where"),
    [
        (Language.EN, "confirmed", "Our bank account"),
        (Language.DE, "bestätigt", "Unsere Bankverbindung"),
        (Language.ES, "confirmado", "Nuestra cuenta bancaria"),
        (Language.FR, "confirmée", "Nos coordonnées bancaires"),
        (Language.IT, "confermato", "Le nostre coordinate bancarie"),
    ],
)
def test_a_bank_account_stands_on_a_line_of_its_own_however_long(
    world: World, language: Language, subject: str, where: str
) -> None:
    bank = f"{BANK}, BIC BYLADEM1001, Kontoinhaberin: Prorata Gesellschaft mit beschränkter Haftung"
    world.policy(invoice_on_vat=True, seller=replace(SELLER, bank_account=bank))
    ada = world.customer(card=None, vat_number="DE136695976", language=language)
    world.buy(ada, purchase())
    colon = "\xa0:" if language is Language.FR else ":"
    text, html = laid_out(world, ada, subject)
    assert f"\n\n{where}{colon} {bank}.\n\n" in text
    assert f">{where}{colon} {bank}.</p>" in html


def laid_out(world: World, customer: Customer, subject: str) -> tuple[str, str]:
    """The letter about `subject`, with its lines as they are."""
    listed = world.mailbox.listed(f"to:{customer.email}")
    mail = world.mailbox.read(next(each["ID"] for each in listed if subject in each["Subject"]))
    return str(mail["Text"]).replace("\r\n", "\n"), str(mail["HTML"])


def test_vat_on_what_a_card_paid_is_all_that_is_to_be_paid_on_the_new_invoice(world: World) -> None:
    eva, _ = during_outage(world)
    turns_out_invalid(world)
    letter = said(world, eva, "VAT is due")
    assert "VAT due €20.00" in letter
    assert "To pay on INV-2026-000002 €20.00" in " ".join(letter.replace("-" * 16, "").split())
    assert "Credit note CN-2026-000001 and invoice INV-2026-000002 are attached. Please pay €20.00" in letter
    assert "is cancelled" not in letter


@pytest.mark.parametrize(
    ("language", "subject", "to_pay", "cancelled"),
    [
        (Language.EN, "VAT is due", "To pay on INV-2026-000002 €120.00", "INV-2026-000001 is cancelled: please do not pay it."),
        (Language.DE, "zu zahlen", "Auf INV-2026-000002 zu zahlen 120,00 €", "INV-2026-000001 ist storniert: bitte nicht mehr bezahlen."),
        (Language.ES, "IVA a pagar", "A pagar por INV-2026-000002 120,00 €", "INV-2026-000001 queda anulada: no la pague."),
        (Language.FR, "TVA due", "À payer sur INV-2026-000002 120,00 €", "INV-2026-000001 est annulée : ne la réglez pas."),
        (Language.IT, "IVA dovuta", "Da pagare su INV-2026-000002 120,00 €", "INV-2026-000001 è annullata: non la paghi."),
    ],
)  # fmt: skip
def test_vat_on_an_unpaid_invoice_is_told_with_all_that_is_to_be_paid_and_what_is_not_any_more(
    world: World, language: Language, subject: str, to_pay: str, cancelled: str
) -> None:
    by_invoice(world)
    eva, _ = during_outage(world, card=None, language=language)
    turns_out_invalid(world)
    letter = said(world, eva, subject)
    assert to_pay in " ".join(letter.replace("-" * 16, "").split())
    assert cancelled in letter
    assert BANK in letter


def test_vat_on_a_paid_invoice_is_all_that_is_to_be_paid_and_the_paid_one_is_not_called_unpaid(world: World) -> None:
    by_invoice(world)
    eva, order = during_outage(world, card=None)
    pay(world, one(world, order.id).number)
    turns_out_invalid(world)
    letter = said(world, eva, "VAT is due")
    assert "To pay on INV-2026-000002 €20.00" in " ".join(letter.replace("-" * 16, "").split())
    assert "Please pay €20.00 by" in letter
    assert "is cancelled" not in letter


def test_money_for_the_replaced_invoice_that_is_recorded_before_the_letter_is_written_counts(world: World) -> None:
    by_invoice(world)
    _, order = during_outage(world, card=None)
    turns_out_invalid(world)
    pay(world, documents(world, order.id)[0].number)
    _, new = enclosed(world, order)
    assert new.owed is not None
    assert (new.number, new.owed.amount_minor) == ("INV-2026-000002", 20_00)
    assert new.owed.terms[0].startswith("Please pay €20.00 by")
    assert [each.cancels for each in enclosed(world, order)] == [None, None]


def test_vat_on_a_credit_note_is_to_be_paid_and_the_invoice_that_takes_the_old_one_back_asks_for_nothing(
    world: World,
) -> None:
    world.vies.register(NUMBER, status="valid")
    eva = world.customer(country="AT", vat_number=NUMBER)
    world.buy(eva, purchase("desk", "team", seats=10))
    world.policy(vat_outage=VatOutage.PROVISIONAL)
    world.pass_time(days=2)
    world.vies.fail("MS_UNAVAILABLE")
    order = world.buy(eva, change("desk", seats=5))
    world.vies.http.delete("/_control/faults").raise_for_status()
    turns_out_invalid(world)
    letter = said(world, eva, "VAT is due")
    assert "To pay on CN-2026-000002 €10.00" in " ".join(letter.replace("-" * 16, "").split())
    assert "Credit note CN-2026-000002 and invoice INV-2026-000002 are attached. Please pay €10.00 by" in letter
    assert "as the new invoice says" not in letter
    taken_back = documents(world, order.id)[-1]
    assert text_of(pdf(world, taken_back)).split("Total ")[1].startswith("€43.33 Nothing due €0.00")


def test_nothing_is_asked_for_once_all_is_paid(world: World) -> None:
    by_invoice(world)
    _, order = during_outage(world, card=None)
    turns_out_invalid(world)
    pay(world, documents(world, order.id)[-1].number)
    taken_back, new = enclosed(world, order)
    assert (taken_back.cancels, new.owed) == ("INV-2026-000001", None)


def enclosed(world: World, order: Order) -> tuple[Enclosed, ...]:
    with world.begin() as session:
        return attachments.enclosed(session, world.order(order.id), LetterKind.VAT_CORRECTION)


def test_the_refund_notice_says_that_the_credit_note_is_attached(world: World) -> None:
    ada = world.customer()
    order = world.buy(ada, purchase())
    with world.begin() as session:
        support_refund.refund(session, order.id, by="ops", why="asked", now=world.time)
    world.run(order.id)
    assert [name for name, _ in attached(world, ada, "refunded")] == ["CN-2026-000001.pdf"]
    assert "Credit note CN-2026-000001 is attached." in said(world, ada, "refunded")
