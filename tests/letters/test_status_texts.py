"""Where an order stands, in words."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from models.accounts import Language
from models.orders import Order
from models.states import OrderStatus
from tasks.letters import reasons
from tasks.letters.reasons import Instead
from tasks.letters.status_texts import status_text
from tasks.letters.wording import Wording
from tests.letters.orders import NAMES, SELLER


def text(
    status: OrderStatus,
    reason: str | None = None,
    facts: dict[str, Any] | None = None,
    language: Language = Language.EN,
    *,
    refund_failed: bool = False,
    given_back: bool = False,
    instead: Instead | None = None,
) -> str:
    order = Order(status=status, reason=reason, reason_facts=facts, language=language, currency="EUR")
    return status_text(
        order, seller=SELLER, names=NAMES, refund_failed=refund_failed, given_back=given_back, instead=instead
    )


AS_QUOTED = {"quoted_total_minor": 1190, "total_minor": 1190, "quoted_due_minor": 1190, "due_minor": 1190}


@pytest.mark.parametrize("status", OrderStatus)
def test_every_status_has_words_in_every_language(status: OrderStatus) -> None:
    facts = {"differs": ["period"], **AS_QUOTED} if status is OrderStatus.AWAITING_CONFIRMATION else None
    said = {language: text(status, facts=facts, language=language) for language in Language}
    assert len(set(said.values())) == len(Language)
    assert not [each for each in said.values() if re.search(r"%\(|None", each)]


@pytest.mark.parametrize(
    ("language", "told"),
    [
        (Language.EN, "Your order is being cancelled. If anything was charged, it is refunded to you."),
        (Language.DE, "Ihre Bestellung wird storniert. Falls etwas abgebucht wurde, wird es Ihnen erstattet."),
        (Language.ES, "Su pedido se está cancelando. Si se ha cobrado algún importe, se le reembolsa."),
        (Language.FR, "Votre commande est en cours d’annulation. Si un montant a été débité, il vous est remboursé."),
        (
            Language.IT,
            "Il Suo ordine è in corso di annullamento. Se è stato addebitato un importo, Le viene rimborsato.",
        ),
    ],
)
def test_an_open_order_that_is_to_be_cancelled_is_not_told_as_being_processed(language: Language, told: str) -> None:
    order = Order(status=OrderStatus.OPEN, language=language, currency="EUR", cancel_requested_at=datetime.now(UTC))
    assert status_text(order, seller=SELLER, names=NAMES, refund_failed=False, given_back=False) == told


def test_a_failed_refund_has_words_of_its_own_in_every_language() -> None:
    failed = {text(OrderStatus.NEEDS_ATTENTION, language=each, refund_failed=True) for each in Language}
    assert len(failed - {text(OrderStatus.NEEDS_ATTENTION, language=each) for each in Language}) == len(Language)


@pytest.mark.parametrize("code", [*reasons.DECLINED, "do_not_honor"])
def test_a_declined_card_has_a_reason_in_every_language(code: str) -> None:
    said = {text(OrderStatus.PAYMENT_DECLINED, "payment-declined", {"decline_code": code}, each) for each in Language}
    assert len(said) == len(Language)


def test_a_declined_card_is_told_with_what_to_do() -> None:
    assert text(OrderStatus.PAYMENT_DECLINED, "payment-declined", {"decline_code": "insufficient_funds"}) == (
        "The card does not have sufficient funds. Nothing has been charged. Please provide another payment method."
    )


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        (Language.EN, "The payment was declined."),
        (Language.DE, "Die Zahlung wurde abgelehnt."),
        (Language.ES, "El pago ha sido rechazado."),
        (Language.FR, "Le paiement a été refusé."),
        (Language.IT, "Il pagamento è stato rifiutato."),
    ],
)
@pytest.mark.parametrize("code", ["lost_card", "stolen_card", "fraudulent", "try_again_later", "new_at_the_provider"])
def test_a_stolen_card_is_not_called_so_and_an_unknown_reason_is_not_called_none(
    code: str, language: Language, sentence: str
) -> None:
    facts = {"decline_code": code}
    assert text(OrderStatus.PAYMENT_DECLINED, "payment-declined", facts, language).startswith(f"{sentence} ")


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("invalid_cvc", "The card's security code is incorrect."),
        ("invalid_number", "The card's number is incorrect."),
    ],
)
def test_a_code_that_says_the_same_as_another_is_told_alike(code: str, sentence: str) -> None:
    facts = {"decline_code": code}
    assert text(OrderStatus.PAYMENT_DECLINED, "payment-declined", facts).startswith(f"{sentence} ")


def test_a_changed_amount_is_told_with_both_amounts_and_the_reason() -> None:
    facts = {
        "differs": ["unit_minor", "balance_used_minor"],
        "quoted_total_minor": 1190,
        "total_minor": 1309,
        "quoted_due_minor": 1190,
        "due_minor": 1309,
    }
    assert text(OrderStatus.AWAITING_CONFIRMATION, "amount-differs", facts, Language.DE) == (
        "Der Betrag lautet nun 13,09\xa0€ statt der angebotenen 11,90\xa0€. Es wurde nichts abgebucht; bitte bestätigen Sie"
        " den neuen Betrag. Was sich geändert hat: der Preis und das Guthaben."
    )


def test_where_only_the_balance_differs_the_amounts_due_are_told() -> None:
    facts = {"differs": ["balance_used_minor"], **AS_QUOTED, "quoted_due_minor": 190}
    assert "€11.90 instead of the €1.90" in text(OrderStatus.AWAITING_CONFIRMATION, "amount-differs", facts)


def test_where_the_amounts_agree_it_is_not_said_that_they_differ() -> None:
    facts = {"differs": ["period"], **AS_QUOTED}
    assert text(OrderStatus.AWAITING_CONFIRMATION, "amount-differs", facts) == (
        "The order is no longer as quoted, though the amount is. Nothing has been charged; please confirm it anew."
        " What has changed: the billing period."
    )


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        (Language.EN, "VAT is charged, because VIES does not recognise your VAT number."),
        (Language.DE, "Es fällt USt. an, weil MIAS (VIES) Ihre USt-IdNr. nicht kennt."),
        (Language.ES, "Se cobra el IVA, porque VIES no reconoce su NIF-IVA."),
        (Language.FR, "La TVA est facturée, car VIES ne connaît pas votre numéro de TVA."),
        (Language.IT, "Viene addebitata l'IVA, perché il VIES non riconosce la Sua partita IVA."),
    ],
)
def test_vat_on_a_number_that_the_registry_does_not_know_has_a_sentence_of_its_own(
    language: Language, sentence: str
) -> None:
    facts = {"differs": ["vat_number"], **AS_QUOTED, "total_minor": 1416}
    alone = text(OrderStatus.AWAITING_CONFIRMATION, "amount-differs", facts, language)
    dearer = text(
        OrderStatus.AWAITING_CONFIRMATION, "amount-differs", facts | {"differs": ["unit_minor", "vat_number"]}, language
    )
    changed = Wording(language, "EUR", "UTC").say("What has changed: %(what)s.", what=_the_price(language))
    assert f" {sentence} " in alone
    assert changed not in alone
    assert f" {changed} {sentence} " in dearer
    assert dearer.replace(f" {changed}", "") == alone


def _the_price(language: Language) -> str:
    return Wording(language, "EUR", "UTC").say(reasons.DIFFERS["unit_minor"])


def test_a_number_that_the_registry_does_not_know_is_told_with_what_to_do() -> None:
    facts = {"differs": ["vat_number"], **AS_QUOTED, "total_minor": 1416}
    assert text(OrderStatus.AWAITING_CONFIRMATION, "amount-differs", facts) == (
        "The amount is now €14.16 instead of the €11.90 quoted. Nothing has been charged; please confirm the new amount."
        " VAT is charged, because VIES does not recognise your VAT number."
        " If the number is wrong, please correct it in your account and ask for a new quote."
    )


def test_a_number_that_the_registry_could_not_confirm_is_told_without_asking_for_another() -> None:
    facts = {"differs": ["balance_used_minor", "vat_registry"], **AS_QUOTED, "total_minor": 1416}
    said = text(OrderStatus.AWAITING_CONFIRMATION, "amount-differs", facts)
    assert said.endswith(
        " What has changed: the balance. VAT is charged, because VIES could not confirm your VAT number."
    )


@pytest.mark.parametrize(
    ("instead", "asked_for"),
    [
        (None, "add a payment method;"),
        (Instead.GIVE_NUMBER, "add a payment method or a VAT number;"),
        (Instead.CORRECT_MALFORMED, "your account is not valid. Please correct it or add a payment method;"),
        (Instead.CORRECT_UNKNOWN, "VIES does not recognise the VAT number of your account. Please correct it or"),
        (Instead.BE_INVOICED, "add a payment method, or go on with the VAT number of your account;"),
    ],
)
def test_a_vat_number_is_asked_for_only_where_it_would_do_and_one_that_is_no_good_is_named(
    instead: Instead | None, asked_for: str
) -> None:
    said = text(OrderStatus.AWAITING_PAYMENT_DETAILS, "payment-details-missing", instead=instead)
    assert asked_for in said


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (Language.EN, "You can also be invoiced on the VAT number of your account."),
        (Language.DE, "Sie können auch auf die USt-IdNr. Ihres Kontos eine Rechnung erhalten."),
        (Language.ES, "También puede recibir una factura con el NIF-IVA de su cuenta."),
        (Language.FR, "Vous pouvez aussi être facturé sur le numéro de TVA de votre compte."),
        (Language.IT, "Può anche ricevere una fattura sulla partita IVA del Suo account."),
    ],
)
def test_whose_card_was_declined_is_told_of_the_invoice_instead(language: Language, said: str) -> None:
    facts = {"decline_code": "generic_decline"}
    declined = text(OrderStatus.PAYMENT_DECLINED, "payment-declined", facts, language, instead=Instead.BE_INVOICED)
    assert declined == f"{text(OrderStatus.PAYMENT_DECLINED, 'payment-declined', facts, language)} {said}"


def test_a_rejection_gives_every_reason() -> None:
    kept = [
        {"code": "trial-used", "line": 0, "product": "desk"},
        {"code": "seats-below-assigned", "line": 1, "seats": 1, "must_unassign": 1, "most_recent": ["c@x.example"]},
    ]
    said = text(OrderStatus.REJECTED, "trial-used", {"refusals": kept})
    assert said.startswith(
        "Your order could not be carried out. Nothing was charged. You have had a trial of Desk already"
    )
    assert said.endswith("the most recently assigned is c@x.example.")


@pytest.mark.parametrize(
    ("reason", "language", "said"),
    [
        (
            "amount-too-small",
            Language.EN,
            "The amount is too small to be charged to a card. Please order more seats or choose annual billing.",
        ),
        (
            "amount-too-small",
            Language.DE,
            "Bitte bestellen Sie mehr Lizenzen oder wählen Sie jährliche Abrechnung.",
        ),
        ("amount-too-small", Language.ES, "Pida más licencias o elija facturación anual."),
        (
            "amount-too-small",
            Language.FR,
            "Veuillez commander davantage de licences ou choisir une facturation annuelle.",
        ),
        ("amount-too-small", Language.IT, "Ordini più licenze o scelga la fatturazione annuale."),
        (
            "amount-too-large",
            Language.EN,
            "The amount is too large to be charged to a card. Please choose fewer seats, or split the order into several.",
        ),
        (
            "amount-too-large",
            Language.DE,
            "Bitte wählen Sie weniger Lizenzen, oder teilen Sie sie auf mehrere Bestellungen auf.",
        ),
        ("amount-too-large", Language.ES, "Elija menos licencias o repártalas en varios pedidos."),
        (
            "amount-too-large",
            Language.FR,
            "Veuillez choisir moins de licences ou les répartir en plusieurs commandes.",
        ),
        ("amount-too-large", Language.IT, "Scelga meno licenze o le suddivida in più ordini."),
        (
            "payment-refused",
            Language.EN,
            "The payment provider does not accept this payment. Please write to support@prorata.example.",
        ),
        ("payment-refused", Language.DE, "Bitte schreiben Sie an support@prorata.example."),
        ("payment-refused", Language.ES, "Escriba a support@prorata.example."),
        ("payment-refused", Language.FR, "Veuillez écrire à support@prorata.example."),
        ("payment-refused", Language.IT, "Scriva a support@prorata.example."),
    ],
)
def test_a_payment_that_is_not_to_be_had_is_told_with_what_to_do(reason: str, language: Language, said: str) -> None:
    assert text(OrderStatus.REJECTED, reason, language=language).endswith(f" {said}")


@pytest.mark.parametrize("reason", reasons.CANCELLED)
def test_a_cancelled_order_says_why(reason: str) -> None:
    said = text(OrderStatus.CANCELLED, reason)
    assert said.startswith("The order was cancelled")
    assert said.endswith("Nothing was charged.")


@pytest.mark.parametrize(
    ("status", "reason", "said"),
    [
        (OrderStatus.CANCELLED, "cancelled-by-customer", "The order was cancelled at your request. %s"),
        (OrderStatus.CANCELLED, None, "Your order was cancelled. %s"),
        (OrderStatus.REJECTED, None, "Your order could not be carried out. %s"),
        (
            OrderStatus.PAYMENT_DECLINED,
            "payment-declined",
            "The payment was declined. %s Please provide another payment method.",
        ),
    ],
)
def test_where_money_was_taken_and_goes_back_nobody_reads_that_nothing_was_charged(
    status: OrderStatus, reason: str | None, said: str
) -> None:
    assert text(status, reason, given_back=True) == said % "What was charged is refunded to you."


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (Language.DE, "Der abgebuchte Betrag wird Ihnen erstattet."),
        (Language.ES, "El importe cobrado se le reembolsa."),
        (Language.FR, "Le montant débité vous est remboursé."),
        (Language.IT, "L'importo addebitato Le viene rimborsato."),
    ],
)
@pytest.mark.parametrize("status", [OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.PAYMENT_DECLINED])
def test_that_money_was_taken_and_goes_back_is_said_in_every_language(
    status: OrderStatus, language: Language, said: str
) -> None:
    assert said in text(status, language=language, given_back=True)


def test_a_refund_says_why() -> None:
    assert text(OrderStatus.REFUNDED, "subscription-changed").startswith(
        "Your order has been refunded. Your subscription"
    )


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (Language.EN, "Our support team has refunded the order."),
        (Language.DE, "Unser Support hat den Betrag der Bestellung erstattet."),
        (Language.ES, "Nuestro equipo de soporte ha reembolsado el pedido."),
        (Language.FR, "Notre équipe d’assistance a remboursé la commande."),
        (Language.IT, "Il nostro team di assistenza ha rimborsato l'ordine."),
    ],
)
def test_a_refund_by_support_is_told_once(language: Language, said: str) -> None:
    assert text(OrderStatus.REFUNDED, "refunded-by-support", language=language) == said


@pytest.mark.parametrize(
    ("language", "why"),
    [
        (Language.EN, "More users were assigned in the meantime than the order has seats, so"),
        (Language.DE, "Inzwischen wurden mehr Benutzer zugewiesen, als die Bestellung Lizenzen umfasst;"),
        (Language.ES, "Entretanto se asignaron más licencias de las que incluye el pedido, por"),
        (Language.FR, "Entre-temps, plus de licences ont été attribuées que la commande n’en compte\u202f;"),
        (Language.IT, "Nel frattempo sono state assegnate più licenze di quante ne comprenda l'ordine,"),
    ],
)
def test_more_users_than_the_order_has_seats_for_are_told(language: Language, why: str) -> None:
    assert f" {why} " in text(OrderStatus.REFUNDED, "seats-below-assigned", language=language)


def test_a_wrong_vat_number_is_asked_for_again() -> None:
    assert "VAT number" in text(OrderStatus.AWAITING_PAYMENT_DETAILS, "vat-number-invalid")


def test_an_unknown_reason_falls_back_to_the_status() -> None:
    assert text(OrderStatus.CANCELLED, "something new") == text(OrderStatus.CANCELLED)
