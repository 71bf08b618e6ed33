"""Orders: what is asked for, and where one stands."""

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api_stub.schemas.amounts import Money
from api_stub.schemas.invoices import DUE_ON, StillOwed
from api_stub.schemas.lines import LineView
from api_stub.schemas.quotes import QuoteView, TotalsView
from api_stub.schemas.values import METHOD_OF_A_CARD, Instant, Int64, Shown, Token, Wanted
from models.accounts import VatCheckStatus
from models.placing import PlacedOrder
from models.rules.cart import Action
from models.rules.period import Interval
from models.states import AttemptStatus, OrderStatus, PaymentKind, RefundState
from models.vat_follow_ups import FollowUpOutcome

Standing = Annotated[
    OrderStatus,
    Field(
        description="`open`: in progress, look again. `awaiting_payment_details`, `payment_declined`, `awaiting_authentication`, `awaiting_confirmation`: it "
        "waits for the customer; the order's `next` says for what. `needs_attention`: our team is looking into it. `completed`, `rejected` and "
        "`cancelled` (nothing was charged; or it came late and goes back, and `status_text` says so) and `refunded` (what was charged went back) are final; "
        "`OrderView.final` names the exceptions."
    ),
]
WHY = (
    "A code that never changes. Of an order that waits: `payment-details-missing`, `vat-number-invalid`, `payment-declined`, `amount-differs`, "
    "`needs-attention`. Of one that ended: `cancelled-by-customer`, `cancelled-by-us`, `customer-did-not-answer`, `refunded-by-support`, "
    "`refunded-before`; "
    "`subscription-changed`, `subscription-ended`; `amount-too-small`, `amount-too-large`, `payment-refused`; or why a quote for its cart would be "
    "refused (the types of `POST /v1/quotes`). More may be added."
)


Owed = Annotated[
    StillOwed | None,
    Field(
        description="what is still to be paid by transfer: of an order on invoice, and of any completed order whose VAT was charged after all (`vat.outcome`). null where nothing is. "
        "`GET /v1/accounts/{account_id}/invoices?owed=true` lists all of an account"
    ),
]

FinishedAt = Annotated[Instant | None, Field(description="when it became `final`; null while it is not")]


class OrderWanted(Wanted):
    account_id: UUID = Field(examples=["018f6f6a-0000-7000-8000-000000000001"])
    quote_id: UUID = Field(
        description="`id` of a quote that has not expired", examples=["018f6f6a-0000-7000-8000-000000000003"]
    )


class PaymentMethodWanted(Wanted):
    token: Token | None = Field(
        default=None,
        examples=["pm_card_visa"],
        description=f"{METHOD_OF_A_CARD}. Left out, the account's payment details as they are now are tried",
    )
    contact_id: UUID | None = Field(
        default=None,
        description="the billing contact who orders from now on, and whom the order's letters go to. Left out, it stays the order's own; if that one may not order any more, "
        "the answer is `not-a-billing-contact`, and the order waits on",
    )


class ConfirmationWanted(Wanted):
    quote_id: UUID = Field(
        description="the fresh quote that the customer accepts: the `id` of the order's `next.quote`, or of a newer quote for the same cart. That quote's `contact_id` becomes the order's",
        examples=["018f6f6a-0000-7000-8000-000000000004"],
    )


class OrderPlaced(Shown):
    """The same for every repetition of the request; `links` say where the order stands."""

    id: UUID
    number: Int64 = Field(examples=[1001])
    account_id: UUID
    quote_id: UUID
    status: Literal["open"] = "open"
    """as it was when placed"""
    created_at: Instant
    links: dict[str, str] = Field(examples=[{"self": "/v1/orders/…", "events": "/v1/orders/…/events"}])


class OrderedView(BaseModel):
    """What one line of an order is for; the order itself has its amounts (`lines`)."""

    action: Action
    product: str
    tier: str
    seats: int
    interval: Interval | None


class OrderSummary(BaseModel):
    id: UUID
    number: Int64
    account_id: UUID
    status: Standing
    final: bool = Field(description="as `OrderView.final`, which names the exceptions")
    reason_code: str | None = Field(description=WHY)
    products: list[OrderedView] = Field(description="in the order of its `lines`")
    total: Money
    due: Money
    owed: Owed
    created_at: Instant
    finished_at: FinishedAt


class OrderPage(BaseModel):
    """Newest first; `next_before` is the `before` of the next page, null on the last."""

    orders: list[OrderSummary]
    next_before: Int64 | None


class Reason(BaseModel):
    """Why the order waits or ended so."""

    code: str = Field(description=WHY, examples=["payment-declined"])
    text: str


Alternative = Literal["give_vat_number", "correct_vat_number", "be_invoiced"]


class NextStep(Shown):
    """What the customer must do for the order to go on."""

    action: Literal["authenticate", "give_payment_method", "correct_vat_number", "confirm_quote"] = Field(
        description="authenticate: at `url`; with another card only in another order, after this one was cancelled. give_payment_method: POST the order's `payment-method` with a token, or without one after the account was given another method; or do one of the `alternatives`. correct_vat_number: correct "
        "or remove it (PATCH the account), then POST the order's `payment-method` without a token: the order does not go on before. "
        "confirm_quote: POST the order's `confirm` with the id of `quote`. If that has expired (the order waits for longer), ask `POST /v1/quotes` for another with the "
        "order's own `lines` (of each its `action`, `product`, `tier`, `seats` and `interval`, in the same order), show it to the customer, and confirm that. "
        "Where the order's own contact may order no more (`not-a-billing-contact`), another billing contact goes on: with a `contact_id` beside the payment details, or with a quote of their own."
    )
    alternatives: list[Alternative] = Field(
        default=[],
        description="what the customer may do instead of giving a payment method, as the account is now. give_vat_number: give the account one; correct_vat_number: correct the one that it has; "
        "either by PATCH of the account, then POST the order's `payment-method` without a token. be_invoiced: only that POST, as the account has a number. "
        "If the registry confirms the number, and the account has no other card by then, the order is invoiced, or, where its balance pays all, completed; if the number changes the amount, it asks to confirm that first (confirm_quote). "
        "More may be added.",
    )
    text: str
    retry_at: Instant | None = Field(
        default=None,
        description="of give_payment_method: before then no new payment method is taken, as too many of the account's charges were declined (`too-many-declines`); null where one is",
    )
    url: str | None = Field(
        default=None,
        description="where the customer authenticates (3-D Secure); the bank then sends them to the order's own page in the Billing Center",
    )
    quote: QuoteView | None = Field(default=None, description="the fresh quote to confirm, in the order's language")


class ChargeView(BaseModel):
    attempt: int
    amount: Money
    status: AttemptStatus
    decline_code: str | None
    created_at: Instant


class RefundView(BaseModel):
    charge_attempt: int = Field(description="`attempt` of the charge whose money goes back")
    amount: Money
    status: RefundState
    created_at: Instant


class PaymentView(BaseModel):
    kind: PaymentKind | None = Field(description="null until the payment step has decided it")
    invoice_due_at: Instant | None = Field(
        description="of an order on invoice, by when its own invoice is to be paid. What is still owed, also on one that replaced it: the order's `owed`"
    )
    invoice_due_on: date | None = Field(description=f"of an order on invoice: {DUE_ON}")
    charged: Money = Field(description="what was taken from the card")
    refunded: Money = Field(
        description="what of it was refunded; excludes money of an abandoned charge, which is refunded separately"
    )
    charges: list[ChargeView]
    refunds: list[RefundView]


class VatView(BaseModel):
    number: str | None
    provisional: bool = Field(description="the registry could not be asked yet; it will be")
    set_aside: bool = Field(
        description="VAT is charged although a number was given, because the registry could not be asked"
    )
    answer: Literal[VatCheckStatus.VALID, VatCheckStatus.INVALID] | None = Field(
        description="what the registry answered when it was asked again, after an order had gone on without its answer (`provisional`, `set_aside`); null before, and for all other orders"
    )
    outcome: FollowUpOutcome | None = Field(
        description="what followed from that. `confirmed`: nothing, what was charged is right (or the customer has the VAT back from their bank). "
        "`vat_charged`: the number is invalid, so an invoice with VAT has replaced the first one, and the VAT is owed by transfer: the order's `owed`. "
        "`vat_credited`: the number is valid, so the VAT was added to the balance. `order_ended`: nothing, the order was refunded. "
        "The order's `lines`, `totals` and `payment` stay as ordered; its `invoices` have what was corrected"
    )


class EventView(BaseModel):
    """One entry of the order's timeline."""

    id: Int64
    at: Instant
    kind: str = Field(
        description="for people to read and machines to log: more kinds may be added, so let `status` and `next` decide what to do",
        examples=["collect_payment.done"],
    )
    text: str
    facts: dict[str, Any] = Field(description="differ from kind to kind")


class OrderView(BaseModel):
    id: UUID
    number: Int64
    account_id: UUID
    contact_id: UUID = Field(
        description="who orders, and whom its letters go to: another one once the order has gone on with them"
    )
    quote_id: UUID = Field(description="the one that its amounts come from: once a fresh quote is confirmed, that one")
    status: Standing
    final: bool = Field(
        description="nothing more will happen to it, with three exceptions. Support may refund a completed purchase, which then ends as `refunded` (`GET /v1/orders?status=refunded` tells). A refund that "
        "the payment provider had accepted may fail days later (the card's account is closed, for example): the order is then `needs_attention`, "
        "`final` is false, `finished_at` null and `payment.refunded` 0 until our team has returned the money another way. "
        "And where `vat` is `provisional` or `set_aside`, the VAT registry may answer days later: a completed order stays `completed`, but its VAT may be corrected "
        "(`vat.outcome`), and then be owed (`owed`)"
    )
    status_text: str = Field(description="where the order stands, in the order's language")
    reason: Reason | None
    next: NextStep | None = Field(description="null where there is nothing for the customer to do")
    waits_until: Instant | None = Field(
        description="when an order that waits for its customer is cancelled if nothing happens (`customer-did-not-answer`): unless the merchant "
        "has set other times, 7 days after it began to wait, or 60 minutes after the bank was asked (`awaiting_authentication`). null where it does not lapse"
    )
    lines: list[LineView]
    totals: TotalsView
    payment: PaymentView
    owed: Owed
    vat: VatView
    timeline: list[EventView]
    as_of: Instant = Field(description="when it takes effect")
    cancel_requested_at: Instant | None = Field(
        description="while the order is open after that, it is about to be cancelled, or its payment undone; `status_text` says so"
    )
    created_at: Instant
    finished_at: FinishedAt


def placed_view(order: PlacedOrder, quote_id: UUID) -> OrderPlaced:
    own = f"/v1/orders/{order.id}"
    return OrderPlaced(
        id=order.id,
        number=order.number,
        account_id=order.account_id,
        quote_id=quote_id,
        created_at=order.created_at,
        links={"self": own, "events": f"{own}/events"},
    )
