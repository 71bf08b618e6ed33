"""Welcome, seat prompt and refund notice."""

import re
from typing import Any

import pytest

from models.accounts import Language
from models.invoices import InvoiceKind
from models.rules.cart import Action, CartLine
from models.rules.period import Interval
from models.states import LetterKind, PaymentKind
from tasks.letters.enclosed import Enclosed, Owed
from tests.letters.orders import (
    ACCOUNT_ID,
    PURCHASE,
    SUBSCRIPTION_ID,
    TEN_DAYS_LEFT,
    TRIAL,
    UPGRADE,
    letter,
    order_lines,
    priced,
)

CREDIT_NOTE = Enclosed(kind=InvoiceKind.CREDIT_NOTE, number="CN-2026-000001")
SEATS_PAGE = f"https://billing.prorata.example/subscriptions/{SUBSCRIPTION_ID}/seats"


def said(kind: LetterKind, *cart: object, **other: object) -> str:
    return " ".join(letter(kind, priced(*cart), **other).text.split())  # type: ignore[arg-type]


def test_a_trial_is_welcomed_with_its_length_and_end() -> None:
    text = said(LetterKind.TRIAL_WELCOME, TRIAL)
    assert "Length of the trial 14 days" in text
    assert "Ends by itself on 5 December 2026, 00:00 UTC+1" in text
    assert "there is no charge, and nothing to cancel" in text
    assert "subscribe at any time" in text


def test_the_welcome_is_about_trials_only() -> None:
    assert "Desk" not in said(LetterKind.TRIAL_WELCOME, UPGRADE, TRIAL)


@pytest.mark.parametrize(
    ("language", "subject"),
    [
        (Language.EN, "Your 4 free trials have started"),
        (Language.DE, "Ihre 4 kostenlosen Tests haben begonnen"),
        (Language.ES, "Sus 4 pruebas gratuitas han comenzado"),
        (Language.FR, "Vos 4 essais gratuits ont commencé"),
        (Language.IT, "Le Sue 4 prove gratuite sono iniziate"),
    ],
)
def test_a_welcome_to_many_trials_counts_them_in_its_subject(language: Language, subject: str) -> None:
    four = order_lines(priced(TRIAL)) * 4
    made = letter(LetterKind.TRIAL_WELCOME, priced(TRIAL), language=language, lines=four)
    assert made.subject == subject
    assert made.text.count("Wiki Team") == 8, "named in the letter all the same"
    assert "Wiki Team" in letter(LetterKind.TRIAL_WELCOME, priced(TRIAL), language=language, lines=four[:3]).subject


@pytest.mark.parametrize("kind", [LetterKind.CONFIRMATION, LetterKind.TRIAL_WELCOME])
def test_the_link_to_the_subscriptions_says_whose(kind: LetterKind) -> None:
    page = f"https://billing.prorata.example/subscriptions?account={ACCOUNT_ID}"
    made = letter(kind, priced(TRIAL))
    assert f"\n{page}\n" in made.text
    assert f'href="{page}"' in made.html


@pytest.mark.parametrize(
    ("unassigned", "subject"),
    [({"desk": 5}, "5 seats are ready to be assigned"), ({"desk": 1}, "1 seat is ready to be assigned")],
)
def test_the_prompt_counts_the_seats_without_a_user(unassigned: dict[str, int], subject: str) -> None:
    assert letter(LetterKind.SEAT_PROMPT, priced(UPGRADE), unassigned=unassigned).subject == subject


def test_the_prompt_links_to_where_seats_are_assigned() -> None:
    made = letter(LetterKind.SEAT_PROMPT, priced(UPGRADE), unassigned={"desk": 7})
    assert "Desk Business: 7 of 15 seats have yet to be assigned." in made.text
    assert f"\n{SEATS_PAGE}\n" in made.text
    assert f'href="{SEATS_PAGE}"' in made.html


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        (Language.EN, "Desk Business: 1 of 15 seats has yet to be assigned."),
        (Language.DE, "Desk Business: 1 von 15 Lizenzen ist noch zuzuweisen."),
        (Language.ES, "Desk Business: queda por asignar 1 de 15 licencias."),
        (Language.FR, "Desk Business\xa0: 1 licence sur 15 reste à attribuer."),
        (Language.IT, "Desk Business: resta da assegnare 1 licenza su 15."),
    ],
)
def test_the_prompt_counts_one_seat_of_many(language: Language, sentence: str) -> None:
    made = letter(LetterKind.SEAT_PROMPT, priced(UPGRADE), language=language, unassigned={"desk": 1})
    assert sentence in made.text


@pytest.mark.parametrize(
    ("language", "title", "added", "left"),
    [
        (
            Language.EN,
            "Seats to assign",
            "Order 1001 has added a seat for Beispiel GmbH.",
            "Desk Team: 1 seat has yet to be assigned.",
        ),
        (
            Language.DE,
            "Lizenzen zuweisen",
            "mit der Bestellung 1001 hat Beispiel GmbH eine neue Lizenz erhalten.",
            "Desk Team: 1 Lizenz ist noch zuzuweisen.",
        ),
        (
            Language.ES,
            "Asignación de licencias",
            "El pedido 1001 ha añadido una licencia para Beispiel GmbH.",
            "Desk Team: queda por asignar 1 licencia.",
        ),
        (
            Language.FR,
            "Attribution des licences",
            "La commande 1001 a ajouté une licence pour Beispiel GmbH.",
            "Desk Team\xa0: 1 licence reste à attribuer.",
        ),
        (
            Language.IT,
            "Assegnazione delle licenze",
            "L'ordine 1001 ha aggiunto una licenza per Beispiel GmbH.",
            "Desk Team: resta da assegnare 1 licenza.",
        ),
    ],
)
def test_the_prompt_of_one_seat_speaks_of_one(language: Language, title: str, added: str, left: str) -> None:
    made = letter(LetterKind.SEAT_PROMPT, priced(PURCHASE, held={}), language=language)
    assert made.text.startswith(f"{title}\n")
    assert f"{added} " in " ".join(made.text.split())
    assert f"\n{left}\n" in made.text


def test_the_prompt_says_how_many_seats_the_order_has_added_and_not_how_many_are_left() -> None:
    assert "Order 1001 has added seats for" in said(LetterKind.SEAT_PROMPT, UPGRADE, unassigned={"desk": 1})


def test_the_prompt_says_what_becomes_of_seats_that_nobody_assigned() -> None:
    text = said(LetterKind.SEAT_PROMPT, UPGRADE)
    assert "Users can sign in only once a seat is assigned to them." in text
    assert "they are billed like the others and can be assigned at any time" in text


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        (
            Language.EN,
            "Seats that nobody is assigned to remain yours and can be assigned at any time during the trial.",
        ),
        (
            Language.DE,
            "Lizenzen, die niemandem zugewiesen sind, behalten Sie; sie können während des Tests jederzeit zugewiesen"
            " werden.",
        ),
        (
            Language.ES,
            "Las licencias sin asignar siguen siendo suyas y pueden asignarse en cualquier momento durante la prueba.",
        ),
        (
            Language.FR,
            "Les licences non attribuées restent à vous et peuvent être attribuées à tout moment pendant l’essai.",
        ),
        (
            Language.IT,
            "Le licenze non assegnate restano Sue e possono essere assegnate in qualsiasi momento durante la prova.",
        ),
    ],
)
def test_the_prompt_does_not_call_seats_of_a_trial_billed(language: Language, sentence: str) -> None:
    assert sentence in said(LetterKind.SEAT_PROMPT, TRIAL, language=language)
    assert sentence in said(
        LetterKind.SEAT_PROMPT, UPGRADE, TRIAL, unassigned={"desk": 0, "wiki": 3}, language=language
    )


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        (
            Language.EN,
            "Seats that nobody is assigned to remain yours and can be assigned at any time, those of a trial until it"
            " ends. They are billed like the others; those of a trial cost nothing.",
        ),
        (
            Language.DE,
            "Lizenzen, die niemandem zugewiesen sind, behalten Sie; sie können jederzeit zugewiesen werden, die eines"
            " Tests bis zu dessen Ende. Sie werden wie die übrigen abgerechnet; die eines Tests kosten nichts.",
        ),
        (
            Language.ES,
            "Las licencias sin asignar siguen siendo suyas y pueden asignarse en cualquier momento, las de una prueba"
            " hasta que esta termine. Se facturan como las demás; las de una prueba no cuestan nada.",
        ),
        (
            Language.FR,
            "Les licences non attribuées restent à vous et peuvent être attribuées à tout moment, celles d’un essai"
            " jusqu’à la fin de celui-ci. Elles sont facturées comme les autres ; celles d’un essai ne coûtent rien.",
        ),
        (
            Language.IT,
            "Le licenze non assegnate restano Sue e possono essere assegnate in qualsiasi momento, quelle di una prova"
            " fino al suo termine. Vengono fatturate come le altre; quelle di una prova non costano nulla.",
        ),
    ],
)
def test_the_prompt_tells_seats_of_a_trial_apart_from_those_that_are_billed(language: Language, sentences: str) -> None:
    assert sentences in said(LetterKind.SEAT_PROMPT, UPGRADE, TRIAL, language=language)


def test_a_refund_notice_says_what_went_back_where_and_why() -> None:
    text = letter(LetterKind.REFUND_NOTICE, priced(UPGRADE, balance_minor=1000), reason="subscription-changed").text
    assert re.search(r"^Refunded to Visa •••• 4242 +€307.34$", text, re.MULTILINE)
    assert re.search(r"^Returned to your balance +€10.00$", text, re.MULTILINE)
    assert re.search(r"^Total refunded +€317.34$", text, re.MULTILINE)
    assert "Your subscription was changed in the meantime" in " ".join(text.split())
    assert "This order has changed nothing about your subscriptions." in text
    assert "5 to 10 business days" in text


def test_a_refund_notice_says_what_was_paid_by_transfer_and_is_balance_now() -> None:
    text = letter(
        LetterKind.REFUND_NOTICE, priced(UPGRADE), reason="refunded-by-support", refunded={"transferred_minor": 20_00}
    ).text
    assert re.search(r"^Paid by transfer, added to your balance +€20.00$", text, re.MULTILINE)
    assert re.search(r"^Total refunded +€337.34$", text, re.MULTILINE)


def test_a_refund_notice_says_what_leaves_the_balance_with_it() -> None:
    """The charge was rounded up, and the rounding had become balance; of an order that never was active it had not."""
    order = priced(PURCHASE, charge_unit_minor=100)
    assert order.to_balance_minor == 10
    text = letter(LetterKind.REFUND_NOTICE, order, reason="refunded-by-support").text
    assert re.search(r"Taken from your balance: what your payment was rounded up by −€0.10", " ".join(text.split()))
    assert "Taken from" not in letter(LetterKind.REFUND_NOTICE, order, reason="subscription-changed").text


def test_a_refund_made_in_another_way_is_not_said_to_come_by_card() -> None:
    text = said(LetterKind.REFUND_NOTICE, UPGRADE, reason="subscription-changed", refunded={"otherwise_minor": 317_34})
    assert "Refunded in another way, not to your card €317.34" in text
    assert "Please write to us if it has not reached you." in text
    assert "4242" not in text
    assert "business days" not in text


def test_an_invoiced_order_is_undone_without_a_refund() -> None:
    text = said(LetterKind.REFUND_NOTICE, UPGRADE, order={"payment_kind": PaymentKind.INVOICE})
    assert "Nothing was charged, so there is nothing to refund." in text


def test_a_refund_after_completion_ends_what_was_bought() -> None:
    made = letter(LetterKind.REFUND_NOTICE, priced(PURCHASE), reason="refunded-by-support")
    assert made.subject == "Order 1001 was refunded"
    assert "The subscription it bought has ended." in made.text
    assert "changed nothing" not in made.text


@pytest.mark.parametrize(
    ("language", "one", "two"),
    [
        (Language.EN, "The subscription it bought has ended.", "The subscriptions it bought have ended."),
        (
            Language.DE,
            "Das damit gekaufte Abonnement ist beendet.",
            "Die damit gekauften Abonnements sind beendet.",
        ),
        (
            Language.ES,
            "La suscripción comprada con él ha finalizado.",
            "Las suscripciones compradas con él han finalizado.",
        ),
        (
            Language.FR,
            "L’abonnement souscrit par cette commande a pris fin.",
            "Les abonnements souscrits par cette commande ont pris fin.",
        ),
        (
            Language.IT,
            "L'abbonamento acquistato con questo ordine è terminato.",
            "Gli abbonamenti acquistati con questo ordine sono terminati.",
        ),
    ],
)
def test_a_refund_after_completion_counts_what_it_ends(language: Language, one: str, two: str) -> None:
    """A trial is not bought, and goes on."""
    refunded: dict[str, Any] = {"reason": "refunded-by-support", "language": language}
    second = CartLine(Action.PURCHASE, "wiki", "basic", 2, Interval.MONTH)
    assert one in said(LetterKind.REFUND_NOTICE, PURCHASE, TRIAL, **refunded)
    assert two in said(LetterKind.REFUND_NOTICE, PURCHASE, second, **refunded)


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        (Language.EN, "has ended. Your free trial of Desk and Wiki goes on as before."),
        (Language.ES, "ha finalizado. Su prueba gratuita de Desk y Wiki sigue como hasta ahora."),
        (Language.DE, "ist beendet. Ihr kostenloser Test von Desk und Wiki läuft weiter wie bisher."),
        (Language.FR, "a pris fin. Votre essai gratuit se poursuit comme avant : Desk et Wiki."),
        (Language.IT, "è terminato. La Sua prova gratuita di Desk e Wiki continua come prima."),
    ],
)
def test_a_refund_after_completion_names_the_trials_that_go_on(language: Language, sentence: str) -> None:
    trials = {"reason": "refunded-by-support", "refunded": {"trials_running": ["desk", "wiki"]}, "language": language}
    assert sentence in said(LetterKind.REFUND_NOTICE, PURCHASE, **trials)


def test_vat_due_after_all_is_told_with_its_amount_and_documents() -> None:
    owed = Owed(amount_minor=190, due_at=TEN_DAYS_LEFT, terms=("Please pay €1.90.",))
    invoice = Enclosed(kind=InvoiceKind.INVOICE, number="INV-2026-000002", owed=owed)
    text = said(LetterKind.VAT_CORRECTION, PURCHASE, corrected_minor=190, enclosed=[CREDIT_NOTE, invoice])
    assert "Corrected by CN-2026-000001 and INV-2026-000002" in text
    assert "Payable by 21 November 2026" in text
    assert "VAT due €1.90" in text
    assert "Please pay €1.90." in text
    assert "The VAT is not charged to your payment method." in text
    assert "You can check it in VIES, the EU's VAT number register." in text


@pytest.mark.parametrize(
    ("language", "spared", "asked"),
    [
        (
            Language.EN,
            "The VAT is not charged to your payment method.",
            "Please correct or remove the VAT number of your account.",
        ),
        (
            Language.DE,
            "Die USt. wird nicht von Ihrem Zahlungsmittel abgebucht.",
            "Bitte berichtigen oder entfernen Sie die USt-IdNr. Ihres Kontos.",
        ),
        (
            Language.ES,
            "El IVA no se cobrará en su método de pago.",
            "Corrija o elimine el NIF-IVA de su cuenta.",
        ),
        (
            Language.FR,
            "La TVA n’est pas débitée de votre moyen de paiement.",
            "Veuillez corriger ou supprimer le numéro de TVA de votre compte.",
        ),
        (
            Language.IT,
            "L'IVA non viene addebitata sul Suo metodo di pagamento.",
            "Corregga o rimuova la partita IVA del Suo account.",
        ),
    ],
)
def test_vat_due_on_an_invoiced_order_is_not_told_with_a_payment_method(
    language: Language, spared: str, asked: str
) -> None:
    due: dict[str, Any] = {"corrected_minor": 190, "enclosed": [CREDIT_NOTE], "language": language}
    charged = said(LetterKind.VAT_CORRECTION, PURCHASE, **due)
    invoiced = said(LetterKind.VAT_CORRECTION, PURCHASE, order={"payment_kind": PaymentKind.INVOICE}, **due)
    assert f"{spared} {asked}" in charged
    assert spared not in invoiced
    assert asked in invoiced


def test_vat_that_was_paid_by_then_is_payable_by_no_day() -> None:
    paid = Enclosed(kind=InvoiceKind.INVOICE, number="INV-2026-000002")
    text = said(LetterKind.VAT_CORRECTION, PURCHASE, corrected_minor=190, enclosed=[CREDIT_NOTE, paid])
    assert "VAT due €1.90" in text
    assert "Payable by" not in text


@pytest.mark.parametrize(
    ("language", "subject"),
    [
        (Language.EN, "The VAT of order 1001 is added to your balance"),
        (Language.DE, "Die USt. der Bestellung 1001 wird Ihrem Guthaben gutgeschrieben"),
        (Language.ES, "El IVA del pedido 1001 se añade a su saldo"),
        (Language.FR, "La TVA de la commande 1001 est ajoutée à votre solde"),
        (Language.IT, "IVA dell'ordine 1001 aggiunta al Suo saldo"),
    ],
)
def test_vat_that_becomes_balance_is_not_called_refunded(language: Language, subject: str) -> None:
    back: dict[str, Any] = {"corrected_minor": -190, "enclosed": [CREDIT_NOTE], "language": language}
    assert letter(LetterKind.VAT_CORRECTION, priced(PURCHASE), **back).subject == subject


def test_vat_given_back_is_told_with_its_amount() -> None:
    made = letter(LetterKind.VAT_CORRECTION, priced(PURCHASE), corrected_minor=-190, enclosed=[CREDIT_NOTE])
    assert re.search(r"^Added to your balance +€1.90$", made.text, re.MULTILINE)


def test_an_unknown_reason_still_makes_a_letter() -> None:
    assert "nicht abgeschlossen" in said(LetterKind.REFUND_NOTICE, UPGRADE, reason="???", language=Language.DE)
