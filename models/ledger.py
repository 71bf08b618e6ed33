"""An account's balance as an append-only ledger; the balance is the sum of its movements and is never negative."""

from collections.abc import Sequence
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint, bindparam, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.account_lock import lock_account
from models.base import Base, CreatedAt, Currency, Key, Listed, Minor
from models.never_changed import append_only
from models.orders import Order
from models.prepared import Prepared


class MovementKind(StrEnum):
    RESERVED = "reserved"
    """balance reserved to pay for an order, which stays spent once the order is active; or balance that a charge's rounding up
    had added, taken back when that charge is refunded"""
    RELEASED = "released"
    """a reservation returned: the order ended otherwise, or was quoted anew"""
    CREDITED = "credited"
    """money that an order brings to the balance: a change's credit beyond its charge, a charge's rounding up, VAT or a transfer given back"""
    GRANTED = "granted"
    """put there by a person, with a reason"""


class Cause(StrEnum):
    """Why an order moves balance."""

    RESERVE = "reserve"
    RELEASE = "release"
    CREDIT = "credit"
    """what activation adds: a change's credit beyond its charge, or a charge's rounding up"""
    TAKE_BACK = "take-back"
    """of what `CREDIT` added: a charge's rounding up"""
    VAT_CREDIT = "vat-credit"
    TRANSFER_CREDIT = "transfer-credit"


def cause_of(order_id: UUID, cause: Cause, revision: int | None = None) -> str:
    """`LedgerMovement.cause` of an order's movement. revision: the order's, of a reservation or its release."""
    return f"order:{order_id}:{cause}" if revision is None else f"order:{order_id}:{cause}:{revision}"


class LedgerMovement(Base):
    """One movement, for one cause. A negative one reduces the balance."""

    __tablename__ = "ledger_movements"
    __table_args__ = (
        UniqueConstraint("account_id", "currency", "sequence"),
        CheckConstraint("balance_minor >= 0", name="balance_not_negative"),
        CheckConstraint("amount_minor <> 0", name="amount_not_zero"),
        CheckConstraint("(kind = 'reserved') = (amount_minor < 0)", name="sign_fits_kind"),
    )

    id: Mapped[Key]
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    currency: Mapped[Currency]
    sequence: Mapped[int]
    """1, 2, 3 ... per account and currency"""
    kind: Mapped[MovementKind] = mapped_column(Listed(MovementKind))
    amount_minor: Mapped[Minor]
    balance_minor: Mapped[Minor]
    """the sum up to and including this movement"""
    cause: Mapped[str] = mapped_column(String(120), unique=True)
    """why it was made, e.g. `order:{id}:reserve:1` (see `cause_of`): a cause moves money once"""
    order_id: Mapped[UUID | None] = mapped_column(ForeignKey("orders.id"), index=True)
    step: Mapped[str] = mapped_column(String(40))
    note: Mapped[str] = mapped_column(String(500), default="")
    created_at: Mapped[CreatedAt]


append_only(
    LedgerMovement.__table__,
    because="the ledger is only ever added to",
    instead="put it right by another movement",
)


class BalanceTooLow(Exception):
    """The account does not have that much balance."""


def balance(session: Session, account_id: UUID, currency: str) -> int:
    """The account's balance in minor units of `currency`."""
    return _BALANCE.scalar(session, {"account": account_id, "in": currency}) or 0


_BALANCE = Prepared[int](
    select(LedgerMovement.balance_minor)
    .where(LedgerMovement.account_id == bindparam("account"), LedgerMovement.currency == bindparam("in"))
    .order_by(LedgerMovement.sequence.desc())
    .limit(1)
)


def post(
    session: Session,
    *,
    account_id: UUID,
    currency: str,
    kind: MovementKind,
    amount_minor: int,
    cause: str,
    step: str,
    order_id: UUID | None = None,
    note: str = "",
) -> LedgerMovement | None:
    """Append a movement. If one with the same cause exists, change nothing and return None.

    Locks the account, so that its movements are appended one after the other.
    Raises BalanceTooLow if the balance would fall below zero.
    """
    lock_account(session, account_id)
    if session.scalar(select(LedgerMovement.id).where(LedgerMovement.cause == cause)) is not None:
        return None
    last = _last(session, account_id, currency)
    after = (last.balance_minor if last else 0) + amount_minor
    if after < 0:
        raise BalanceTooLow(f"a balance of {after - amount_minor} cannot pay {-amount_minor} {currency} (minor units)")
    movement = LedgerMovement(
        account_id=account_id,
        currency=currency,
        sequence=(last.sequence if last else 0) + 1,
        kind=kind,
        amount_minor=amount_minor,
        balance_minor=after,
        cause=cause,
        order_id=order_id,
        step=step,
        note=note,
    )
    session.add(movement)
    session.flush()
    return movement


def post_for(
    session: Session,
    order: Order,
    kind: MovementKind,
    amount_minor: int,
    *,
    cause: Cause,
    revision: int | None = None,
    step: str,
    note: str = "",
) -> LedgerMovement | None:
    """`post` in the order's currency. cause, revision: see `cause_of`."""
    return post(
        session,
        account_id=order.account_id,
        currency=order.currency,
        kind=kind,
        amount_minor=amount_minor,
        cause=cause_of(order.id, cause, revision),
        order_id=order.id,
        step=step,
        note=note,
    )


def movements(session: Session, account_id: UUID) -> Sequence[LedgerMovement]:
    """All movements of an account, oldest first, by currency."""
    order = (LedgerMovement.currency, LedgerMovement.sequence)
    return session.scalars(select(LedgerMovement).where(LedgerMovement.account_id == account_id).order_by(*order)).all()


def _last(session: Session, account_id: UUID, currency: str) -> LedgerMovement | None:
    query = select(LedgerMovement).where(LedgerMovement.account_id == account_id, LedgerMovement.currency == currency)
    return session.scalar(query.order_by(LedgerMovement.sequence.desc()).limit(1))
