"""Accounts, their contacts and payment methods, and what the VAT registry answered about their numbers."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Country, CreatedAt, Currency, Key, Listed
from models.never_changed import append_only, freeze_column
from models.rules.vat import BuyerType


class AccountKind(StrEnum):
    SELF_SERVE = "self_serve"
    CORPORATE = "corporate"


class Language(StrEnum):
    EN = "en"
    ES = "es"
    DE = "de"
    FR = "fr"
    IT = "it"


class Account(Base):
    """A customer. Its currency never changes: balance, prices and charges are in it."""

    __tablename__ = "accounts"
    __table_args__ = (
        CheckConstraint("country = upper(country)", name="country_upper_case"),
        CheckConstraint("currency = upper(currency)", name="currency_upper_case"),
    )

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[AccountKind] = mapped_column(Listed(AccountKind), default=AccountKind.SELF_SERVE)
    buyer_type: Mapped[BuyerType] = mapped_column(Listed(BuyerType), default=BuyerType.BUSINESS)
    country: Mapped[Country]
    postcode: Mapped[str | None] = mapped_column(String(20))
    address: Mapped[str] = mapped_column(String(500), default="")
    currency: Mapped[Currency]
    language: Mapped[Language] = mapped_column(Listed(Language), default=Language.EN)
    timezone: Mapped[str] = mapped_column(String(60), default="UTC")
    vat_number: Mapped[str | None] = mapped_column(String(30))
    customer_ref: Mapped[str | None] = mapped_column(String(255))
    """the payment provider's id of the customer, once there is one"""
    created_at: Mapped[CreatedAt]

    contacts: Mapped[list["Contact"]] = relationship(lazy="raise", order_by="Contact.name")


freeze_column(
    Account.__table__,
    "currency",
    trigger="accounts_keep_their_currency",
    because="the currency of an account never changes",
    instead="open another account",
)


ERASED_AT = "erased.invalid"
"""the domain of addresses that stand for erased ones. RFC 2606 reserves `.invalid`, so no letter can arrive there"""


class Contact(Base):
    """A person of the account; only a billing contact may order."""

    __tablename__ = "contacts"
    __table_args__ = (
        UniqueConstraint("account_id", "email"),
        CheckConstraint(
            f"erased_at is null or (not is_billing_contact and email like '%@{ERASED_AT}')", name="erased_is_nobody"
        ),
    )

    id: Mapped[Key]
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str] = mapped_column(String(320), index=True)
    is_billing_contact: Mapped[bool] = mapped_column(default=False)
    erased_at: Mapped[datetime | None]
    """when name and address were erased. The row stays, because quotes and orders refer to it"""


NOT_ERASED = Contact.erased_at.is_(None)


class PaymentMethodStatus(StrEnum):
    USABLE = "usable"
    DECLINED = "declined"
    REPLACED = "replaced"
    """by another one, or by none: the customer removed it"""


class PaymentMethod(Base):
    """A card that the provider stores; we store only what a person needs to recognize it."""

    __tablename__ = "payment_methods"
    __table_args__ = (
        Index("one_usable_payment_method", "account_id", unique=True, postgresql_where="status = 'usable'"),
        UniqueConstraint("account_id", "ref"),
    )

    id: Mapped[Key]
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    ref: Mapped[str] = mapped_column(String(255))
    customer_ref: Mapped[str | None] = mapped_column(String(255))
    """the provider's id of the customer that it was stored with, where that is no longer the account's (`CUSTOMER`)"""
    brand: Mapped[str] = mapped_column(String(40))
    last4: Mapped[str] = mapped_column(String(4))
    status: Mapped[PaymentMethodStatus] = mapped_column(Listed(PaymentMethodStatus), default=PaymentMethodStatus.USABLE)
    created_at: Mapped[CreatedAt]


CUSTOMER = func.coalesce(PaymentMethod.customer_ref, Account.customer_ref)
"""the provider's id of the customer that a payment method was stored with; where there is no method, of the account's. Charges are found by it"""


class VatCheckStatus(StrEnum):
    VALID = "valid"
    INVALID = "invalid"
    UNAVAILABLE = "unavailable"


class VatCheck(Base):
    """Evidence: the registry's answer about a number, its time and its receipt. An outage is stored too, but decides nothing. Never changed."""

    __tablename__ = "vat_checks"
    __table_args__ = (Index(None, "account_id", "number", "asked_at"),)

    id: Mapped[Key]
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    number: Mapped[str] = mapped_column(String(30))
    status: Mapped[VatCheckStatus] = mapped_column(Listed(VatCheckStatus))
    asked_at: Mapped[datetime]
    consultation_number: Mapped[str | None] = mapped_column(String(60))
    registered_name: Mapped[str | None] = mapped_column(String(500))
    registered_address: Mapped[str | None] = mapped_column(String(1000))
    reason: Mapped[str | None] = mapped_column(String(60))


append_only(
    VatCheck.__table__,
    because="an answer of the VAT registry stays as it was given",
    instead="ask again, which is recorded anew",
)
