"""Orders in memory, priced by the rules themselves, for letters to be made from."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from models.accounts import Account, Contact, Language
from models.orders import Order, OrderLine, QuoteLine
from models.rules import quote
from models.rules.cart import Action, CartLine, Offer
from models.rules.period import Interval, Period
from models.rules.proration import Granularity
from models.rules.quoted_line import Clock, RunningPeriod
from models.rules.vat import Treatment, VatDecision
from models.states import LetterKind, OrderStatus, PaymentKind
from tasks.letters.compose import compose
from tasks.letters.confirmation import confirmation
from tasks.letters.content import Content
from tasks.letters.names import ProductNames
from tasks.letters.occasion import Occasion
from tasks.letters.refund_notice import Refunded, refund_notice
from tasks.letters.seat_prompt import SeatsToAssign, added, seat_prompt
from tasks.letters.trial_welcome import trial_welcome
from tasks.letters.vat_correction import vat_correction
from tasks.policy import Seller
from tasks.ports import Letter

ORDER_ID = UUID("0192f000-0000-7000-8000-000000001001")
ACCOUNT_ID = UUID("0192f000-0000-7000-8000-00000000c001")
SUBSCRIPTION_ID = UUID("0192f000-0000-7000-8000-00000000a001")
PERIOD_ID = UUID("0192f000-0000-7000-8000-00000000b001")
SELLER = Seller(
    name="Prorata GmbH",
    country="DE",
    address="Musterstraße 1, 10115 Berlin",
    vat_number="DE123456788",
    support_email="support@prorata.example",
    public_url="https://billing.prorata.example",
    corporate_portal_url="https://corporate.prorata.example/billing",
    mail_domain="prorata.example",
)
NAMES = ProductNames(
    products={"desk": "Desk", "wiki": "Wiki"},
    tiers={
        ("desk", "basic"): "Basic",
        ("desk", "team"): "Team",
        ("desk", "business"): "Business",
        ("wiki", "basic"): "Starter",
        ("wiki", "team"): "Team",
    },
)
OFFER = Offer(
    tier_ranks={"basic": 1, "team": 2, "business": 3},
    prices={
        ("basic", Interval.MONTH): 500,
        ("team", Interval.MONTH): 1000,
        ("team", Interval.YEAR): 10_000,
        ("business", Interval.MONTH): 2000,
    },
    trial_days=14,
)
NOVEMBER = Period(datetime(2026, 10, 31, 23, tzinfo=UTC), datetime(2026, 11, 30, 23, tzinfo=UTC))
"""The whole month in Berlin: 2,592,000 seconds."""
TEN_DAYS_LEFT = datetime(2026, 11, 20, 23, tzinfo=UTC)
GERMAN_VAT = VatDecision(Treatment.DOMESTIC, Decimal("19.000"), None)
REVERSE_CHARGE = VatDecision(Treatment.REVERSE_CHARGE, Decimal(0), "ESB12345674")
OUT_OF_SCOPE = VatDecision(Treatment.OUT_OF_SCOPE, Decimal(0), None)

PURCHASE = CartLine(Action.PURCHASE, "desk", "team", 1, Interval.MONTH)
TRIAL = CartLine(Action.TRIAL, "wiki", "team", 3)
UPGRADE = CartLine(Action.CHANGE, "desk", "business", 15)
CUT = CartLine(Action.CHANGE, "desk", None, 2)


def running(**other: Any) -> RunningPeriod:
    """10 seats of Desk Team for 100.00 and 19 % of tax, in November."""
    facts: dict[str, Any] = {
        "id": PERIOD_ID,
        "tier": "team",
        "seats": 10,
        "interval": Interval.MONTH,
        "period": NOVEMBER,
        "charged_minor": 10_000,
        "tax_minor": 1900,
        "tax_rate": Decimal(19),
    }
    return RunningPeriod(**{**facts, **other})


def priced(
    *cart: CartLine,
    held: Mapping[str, RunningPeriod] | None = None,
    vat: VatDecision = GERMAN_VAT,
    balance_minor: int = 0,
    granularity: Granularity = Granularity.SECOND,
    as_of: datetime = TEN_DAYS_LEFT,
    timezone: str = "Europe/Berlin",
    charge_unit_minor: int = 1,
) -> quote.Quoted:
    return quote.compute(
        cart,
        offers={"desk": OFFER, "wiki": OFFER},
        running=held if held is not None else {"desk": running()},
        vat=vat,
        balance_minor=balance_minor,
        clock=Clock(as_of=as_of, timezone=timezone, granularity=granularity),
        charge_unit_minor=charge_unit_minor,
    )


def order_of(quoted: quote.Quoted, *, language: Language = Language.EN, currency: str = "EUR", **other: Any) -> Order:
    facts: dict[str, Any] = {
        "id": ORDER_ID,
        "number": 1001,
        "account_id": ACCOUNT_ID,
        "language": language,
        "currency": currency,
        "status": OrderStatus.OPEN,
        "payment_kind": PaymentKind.CARD if quoted.due_minor else PaymentKind.NOTHING_DUE,
        "as_of": TEN_DAYS_LEFT,
        "vat_provisional": False,
        "vat_set_aside": False,
        "net_minor": quoted.net_minor,
        "tax_minor": quoted.tax_minor,
        "total_minor": quoted.total_minor,
        "balance_used_minor": quoted.balance_used_minor,
        "due_minor": quoted.due_minor,
        "to_balance_minor": quoted.to_balance_minor,
    }
    return Order(**{**facts, **other})


def order_lines(quoted: quote.Quoted) -> list[OrderLine]:
    return [OrderLine(order_id=ORDER_ID, subscription_id=SUBSCRIPTION_ID, **asdict(line)) for line in quoted.lines]


def quote_lines(quoted: quote.Quoted) -> list[QuoteLine]:
    return [QuoteLine(**asdict(line)) for line in quoted.lines]


def account(**other: Any) -> Account:
    facts: dict[str, Any] = {"name": "Beispiel GmbH", "country": "DE", "currency": "EUR", "timezone": "Europe/Berlin"}
    return Account(**{**facts, **other})


def contact(**other: Any) -> Contact:
    return Contact(**{"name": "Ada Muster", "email": "ada@beispiel.example", "is_billing_contact": True, **other})


def letter(
    kind: LetterKind,
    quoted: quote.Quoted,
    *,
    language: Language = Language.EN,
    order: Mapping[str, Any] | None = None,
    lines: Sequence[OrderLine] | None = None,
    reason: str | None = None,
    credited_in: Mapping[int, str] | None = None,
    unassigned: Mapping[str, int] | None = None,
    refunded: Mapping[str, Any] | None = None,
    corrected_minor: int = 0,
    **other: Any,
) -> Letter:
    made = order_of(quoted, language=language, reason=reason, **(order or {}))
    lines = lines or order_lines(quoted)
    facts: dict[str, Any] = {
        "account": account(),
        "contact": contact(),
        "seller": SELLER,
        "names": NAMES,
        "card": "Visa •••• 4242",
        "enclosed": (),
    }
    o = Occasion(order=made, lines=lines, **{**facts, **other})
    content: Content
    match kind:
        case LetterKind.CONFIRMATION:
            content = confirmation(o, credited_in=credited_in or {})
        case LetterKind.TRIAL_WELCOME:
            content = trial_welcome(o, trials=[line for line in lines if line.action is Action.TRIAL])
        case LetterKind.SEAT_PROMPT:
            left = {line.product_code: added(line) for line in lines} if unassigned is None else unassigned
            content = seat_prompt(
                o, to_assign=[_to_assign(line, left[line.product_code]) for line in lines if left[line.product_code]]
            )
        case LetterKind.REFUND_NOTICE:
            content = refund_notice(o, _refunded(made, **(refunded or {})))
        case LetterKind.VAT_CORRECTION:
            content = vat_correction(o, corrected_minor=corrected_minor)
    return compose(kind, o, content)


def _to_assign(line: OrderLine, left: int) -> SeatsToAssign:
    return SeatsToAssign(line, line.tier_code, seats=line.seats, left=left, trial=line.interval is None)


def _refunded(order: Order, **other: Any) -> Refunded:
    facts: dict[str, Any] = {
        "charge_minor": order.due_minor if order.payment_kind is PaymentKind.CARD else 0,
        "transferred_minor": 0,
        "trials_running": (),
    }
    return Refunded(**{**facts, **other})
