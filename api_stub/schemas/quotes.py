"""Quotes: what is asked for, and the binding offer."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from api_stub.schemas.amounts import Money, money
from api_stub.schemas.lines import LinesWanted, LineView
from api_stub.schemas.values import Instant, Wanted
from models.accounts import Language
from models.orders import Totals

_ACCOUNT = "018f6f6a-0000-7000-8000-000000000001"
_CONTACT = "018f6f6a-0000-7000-8000-000000000002"


class QuoteWanted(Wanted):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "account_id": _ACCOUNT,
                    "contact_id": _CONTACT,
                    "lines": [
                        {"action": "purchase", "product": "desk", "tier": "starter", "seats": 10, "interval": "month"},
                        {"action": "change", "product": "docs", "seats": 25},
                        {"action": "trial", "product": "board", "tier": "team", "seats": 3},
                    ],
                },
                {"account_id": _ACCOUNT, "contact_id": _CONTACT, "from_cart": True},
            ]
        }
    )

    account_id: UUID
    contact_id: UUID = Field(description="who orders; only billing contacts may")
    lines: LinesWanted = Field(default=[], description="leave out with `from_cart`")
    from_cart: StrictBool = Field(
        default=False,
        description="quote the account's stored cart. An order does not empty it: `DELETE` the cart once the order is placed, or the next such quote asks for the same again",
    )


class TotalsView(BaseModel):
    """total = net + tax. The balance pays first, the rest is due; where the total is negative, it becomes balance."""

    net: Money
    tax: Money
    total: Money
    balance_used: Money
    due: Money = Field(description="what will be charged")
    to_balance: Money


class QuoteView(BaseModel):
    """A binding offer until `expires_at`: what is charged equals it to the cent.

    Where that cannot be, because a price, a tax rate or the account has changed, nothing is charged: the order asks for a fresh quote to be
    confirmed, or is rejected where what it is for is not sold any more.
    """

    id: UUID
    account_id: UUID
    contact_id: UUID
    currency: str
    lines: list[LineView]
    totals: TotalsView
    vat_number: str | None = Field(description="the VAT number that the tax rests on")
    needs_payment_details: bool = Field(
        description="a payment method will be needed, or an accepted VAT number: where the merchant invoices businesses on them, or where balance pays all and "
        "the number is one of another member state than the seller's"
    )
    as_of: Instant = Field(description="when the order takes effect")
    expires_at: Instant


def totals_view(totals: Totals, language: Language) -> TotalsView:
    def amount(minor: int) -> Money:
        return money(minor, totals.currency, language)

    return TotalsView(
        net=amount(totals.net_minor),
        tax=amount(totals.tax_minor),
        total=amount(totals.total_minor),
        balance_used=amount(totals.balance_used_minor),
        due=amount(totals.due_minor),
        to_balance=amount(totals.to_balance_minor),
    )
