"""A customer of a payment provider, and the requests they cause."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

from tasks.ports import Charge, ChargeRequest, PaymentProvider, RefundRequest


@dataclass
class Buyer:
    """With a card, about to pay for an order."""

    payments: PaymentProvider
    ref: str
    card: str
    order: UUID = field(default_factory=uuid4)
    since: datetime = field(default_factory=lambda: datetime.now(UTC))

    def charge(self, amount_minor: int = 11_90, currency: str = "EUR", *, attempt: int = 1) -> ChargeRequest:
        key = f"order:{self.order}:charge:{attempt}"
        return ChargeRequest(
            self.order, attempt, key, self.ref, self.card, amount_minor, currency, "Team plan, 5 seats"
        )

    def found(self) -> Sequence[Charge]:
        """The order's charges, as they are looked up."""
        return self.payments.find_charges(customer_ref=self.ref, order_id=self.order, since=self.since)

    def refund(
        self, charge: str, amount_minor: int = 11_90, currency: str = "EUR", *, attempt: int = 1
    ) -> RefundRequest:
        return RefundRequest(
            self.order, attempt, f"order:{self.order}:refund:{attempt}", charge, amount_minor, currency
        )


def new_buyer(payments: PaymentProvider, token: str = "pm_card_visa") -> Buyer:
    account = uuid4()
    ref = payments.create_customer(account_id=account, name="Ada", email="ada@example.com", key=f"account:{account}")
    method = payments.attach_payment_method(customer_ref=ref, token=token, key=f"account:{account}:{token}")
    return Buyer(payments, ref, method.ref)
