"""Accounts: what may be changed about one, and what is shown."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StrictBool, StringConstraints, field_validator

from api_stub.schemas.amounts import Money
from api_stub.schemas.paging import NEXT_AFTER
from api_stub.schemas.values import (
    IN_WORDS,
    LINES,
    METHOD_OF_A_CARD,
    POSTCODE,
    TWO_CAPITALS,
    VAT_NUMBER,
    ZONE,
    Instant,
    Name,
    Patch,
    ReachableEmail,
    Token,
    Wanted,
)
from models.accounts import AccountKind, Language, PaymentMethodStatus
from models.ledger import MovementKind
from models.rules.country import ISO_3166
from models.rules.errors import RuleError
from models.rules.timezone import zone
from models.rules.vat import BuyerType
from models.rules.vat_number import is_blank
from tasks.plain_text import is_printable


def _lines(value: object) -> object:
    """As a browser's form sends them, and as they are kept."""
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


def _printable(text: str) -> str:
    if not is_printable(text, lines=True):
        raise ValueError(IN_WORDS[LINES])
    return text


Address = Annotated[
    str,
    StringConstraints(strict=True, max_length=500, pattern=LINES),
    AfterValidator(_printable),
    BeforeValidator(_lines),
]
"""several lines are fine"""
Postcode = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=20, pattern=POSTCODE)]
VatNumber = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=30, pattern=VAT_NUMBER)]
Zone = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=60, pattern=ZONE)]


class AccountPatch(Patch):
    """Only what is there is changed. `currency`, `kind` and `buyer_type` cannot be changed."""

    name: Name = Field(default="", examples=["Muster GmbH"])
    language: Language = Language.EN
    timezone: Zone = Field(default="UTC", description="IANA name", examples=["Europe/Berlin"])
    country: str = Field(default="DE", pattern=TWO_CAPITALS, description="ISO 3166-1", examples=["DE"])
    postcode: Postcode | None = None
    address: Address = ""
    vat_number: VatNumber | None = Field(
        default=None,
        description="null removes it. A business's in a member state is checked for its form; the registry is asked when something is ordered. A consumer's "
        "(`buyer_type`), or one where no VAT of the Union is owed, is kept as it is, and counts nowhere: it is not checked, changes no tax, and is on no invoice",
        examples=["DE136695976"],
    )

    @field_validator("vat_number")
    @classmethod
    def _blank_is_none(cls, number: str | None) -> str | None:
        return None if is_blank(number) else number

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            zone(name)
        except RuleError as error:
            raise ValueError("is not a time zone; give an IANA name such as Europe/Berlin") from error
        return name

    @field_validator("country")
    @classmethod
    def _known_country(cls, code: str) -> str:
        if code not in ISO_3166:
            raise ValueError("is not an ISO 3166 country code; give two letters such as DE")
        return code


class AccountView(BaseModel):
    id: UUID
    name: str
    kind: AccountKind
    buyer_type: BuyerType
    country: str
    postcode: str | None
    address: str
    currency: str
    language: Language
    timezone: str
    vat_number: str | None
    created_at: Instant


class AccountSummary(BaseModel):
    id: UUID
    name: str
    kind: AccountKind
    country: str
    currency: str
    language: Language


class AccountList(BaseModel):
    """By id: a name may change between two pages."""

    accounts: list[AccountSummary]
    next_after: UUID | None = Field(description=NEXT_AFTER)


class ContactWanted(Wanted):
    name: Name = Field(examples=["Mia Muster"])
    email: ReachableEmail = Field(examples=["mia@customer.example"])
    is_billing_contact: StrictBool = False


class ContactPatch(Patch):
    name: Name = Field(default="", examples=["Mia Muster"])
    is_billing_contact: StrictBool = False


class ContactView(BaseModel):
    id: UUID
    name: str
    email: str
    is_billing_contact: bool = Field(description="may order")


class ContactList(BaseModel):
    """By id: a name may change between two pages."""

    contacts: list[ContactView]
    next_after: UUID | None = Field(description=NEXT_AFTER)


class TokenWanted(Wanted):
    token: Token = Field(description=METHOD_OF_A_CARD, examples=["pm_card_visa"])


class PaymentMethodView(BaseModel):
    """A card, as far as a person needs to recognize it."""

    id: UUID
    brand: str
    last4: str
    status: Literal[PaymentMethodStatus.USABLE]
    created_at: Instant


class DeclinedMethodView(BaseModel):
    """A card that is not charged any more, because the bank declined it."""

    brand: str
    last4: str
    decline_code: str | None = Field(description="the bank's or the provider's, as in the order's charge")
    declined_at: Instant


class PaymentMethodShown(BaseModel):
    payment_method: PaymentMethodView | None = Field(description="the one that is charged; null where there is none")
    last_declined: DeclinedMethodView | None = Field(
        description="why `payment_method` is null: the card that was declined last; null where no card was declined, or there is another one by now"
    )


class MovementView(BaseModel):
    sequence: int
    kind: MovementKind
    amount: Money = Field(description="negative takes from the balance")
    balance: Money = Field(description="after it")
    order_id: UUID | None
    note: str
    created_at: Instant


class BalanceView(BaseModel):
    """Newest movement first; `next_before` is the `before` of the next page, null on the last."""

    balance: Money
    movements: list[MovementView]
    next_before: int | None
