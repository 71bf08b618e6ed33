"""Everything a letter is made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.accounts import Account, Contact
from models.orders import Order, OrderLine
from tasks.letters.names import ProductNames
from tasks.letters.wording import Wording
from tasks.policy import Seller


@dataclass(frozen=True, slots=True)
class Occasion:
    w: Wording
    order: Order
    lines: Sequence[OrderLine]
    account: Account
    contact: Contact
    seller: Seller
    names: ProductNames
    card: str | None
    """what the customer knows the card by: 'Visa •••• 4242'"""
    reason: str | None
    """why money went back: a stable code"""
    refunded_minor: int | None
    """what went back to the card; None: all that was charged"""
    refunded_outside: bool
    """whether it went back in another way than to the card"""
    transferred_minor: int
    """what had been paid by transfer and went back to the balance"""
    trials_running: Sequence[str]
    """products whose trials the order began and that go on although its money went back, by code"""
    unassigned: Mapping[str, int] | None
    """seats without a user, by product code; None: as many as the order added"""

    @property
    def greeting(self) -> str:
        return self.w.say("Hello %(name)s,", name=self.contact.name)

    @property
    def closing(self) -> tuple[str, ...]:
        """Who writes, and where to turn."""
        question = self.w.say(
            "Questions? Write to %(email)s, quoting order %(number)s.",
            email=self.seller.support_email,
            number=str(self.order.number),
        )
        sender = [self.seller.name, self.seller.address]
        if self.seller.vat_number:
            sender.append(self.w.say("VAT number %(number)s", number=self.seller.vat_number))
        return question, " · ".join(part for part in sender if part)
