"""What came of a sample order, held against what must come of it: every difference, as a sentence."""

from collections.abc import Iterator
from decimal import Decimal

from api_stub.demo.playing import Played
from api_stub.demo.sample_file import Expected
from api_stub.demo.upstream import Json
from models.rules.currency import exponent
from models.states import LetterKind, PaymentKind


def complaints(played: Played) -> list[str]:
    """Empty where all is as it must be."""
    if played.trouble is not None:
        return [played.trouble]
    if played.sample.expected.refused is not None:
        return list(_about_refusal(played, played.sample.expected.refused))
    if played.refusal is not None:
        return [f"refused: {played.refusal}"]
    if played.order is None:
        return ["never placed"]
    return [
        *_about_end(played.order, played.sample.expected),
        *_about_money(played, played.order),
        *_about_letters(played.order, played.sample.expected),
        *_about_repetition(played),
    ]


def _about_refusal(played: Played, code: str) -> Iterator[str]:
    if played.refusal is None:
        yield f"not refused, though {code} was expected"
    elif played.refusal.code != code:
        yield f"refused as {played.refusal.code}, not {code}: {played.refusal.detail}"
    else:
        for said in played.sample.expected.says:
            if said not in played.refusal.detail:
                yield f"the answer does not say {said!r}: {played.refusal.detail}"


def _about_end(order: Json, expected: Expected) -> Iterator[str]:
    if order["status"] != expected.status:
        yield f"{order['status']}, not {expected.status}: {order['reason']}"
    reason = order["reason"] and order["reason"]["code"]
    if expected.reason is not None and reason != expected.reason:
        yield f"its reason is {reason}, not {expected.reason}"
    waited = tuple(e["kind"].removeprefix("order.") for e in order["timeline"] if e["kind"] in _WAITS)
    if waited != expected.through:
        yield f"it waited at {', '.join(waited) or 'nothing'}, not {', '.join(expected.through) or 'nothing'}"
    if order["vat"]["provisional"] != expected.provisional:
        yield f"its VAT number is taken on trust: {order['vat']['provisional']}, not {expected.provisional}"


_WAITS = (
    "order.awaiting_payment_details",
    "order.payment_declined",
    "order.awaiting_authentication",
    "order.awaiting_confirmation",
)


def _about_money(played: Played, order: Json) -> Iterator[str]:
    expected, payment, totals = played.sample.expected, order["payment"], order["totals"]
    currency = totals["due"]["currency"]
    if expected.payment is not None and payment["kind"] != expected.payment:
        yield f"paid by {payment['kind']}, not {expected.payment}"
    for name, wanted, money in (
        ("charged", expected.charged, payment["charged"]),
        ("tax", expected.tax, totals["tax"]),
    ):
        if wanted is not None and money["minor"] != int(Decimal(wanted).scaleb(exponent(currency))):
            yield f"{name} {money['text']}, not {wanted} {currency}"
    charged_by_card = totals["due"]["minor"] if payment["kind"] == PaymentKind.CARD else 0
    if order["status"] == "completed" and payment["charged"]["minor"] != charged_by_card:
        yield f"charged {payment['charged']['text']}, and {totals['due']['text']} was due"
    if played.quote is not None and totals != played.quote["totals"]:
        yield f"its amounts are not the quote's: {totals}, quoted {played.quote['totals']}"


def _about_letters(order: Json, expected: Expected) -> Iterator[str]:
    sent = sorted(event["facts"]["kind"] for event in order["timeline"] if event["kind"] == "letter.sent")
    if sent != sorted(expected.letters):
        yield f"letters {', '.join(sent) or 'none'}, not {_listed(expected.letters)}"


def _about_repetition(played: Played) -> Iterator[str]:
    ids = {placed["id"] for placed in played.placed}
    if len(ids) != 1:
        yield f"placed {len(ids)} orders"


def _listed(letters: tuple[LetterKind, ...]) -> str:
    return ", ".join(sorted(letters)) or "none"
