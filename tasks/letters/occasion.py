"""What every letter is made from."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from models.accounts import Account, Contact
from models.orders import Order, OrderLine
from tasks.letters.enclosed import Enclosed
from tasks.letters.names import ProductNames
from tasks.letters.wording import Wording
from tasks.policy import Seller


@dataclass(frozen=True, kw_only=True)
class Occasion:
    order: Order
    lines: Sequence[OrderLine]
    account: Account
    contact: Contact
    seller: Seller
    names: ProductNames
    card: str | None
    """what the customer knows the card by: 'Visa •••• 4242'"""
    enclosed: Sequence[Enclosed]
    """the documents that the letter brings, in the order of their issue"""

    @cached_property
    def w(self) -> Wording:
        return Wording(self.order.language, self.order.currency, self.account.timezone)

    @property
    def subscriptions_page(self) -> str:
        return f"{self.seller.public_url}/subscriptions?account={self.order.account_id}"

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
