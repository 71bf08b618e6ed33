"""Everything a letter is made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from models.accounts import Account, Contact
from models.orders import Order, OrderLine
from tasks.letters.enclosed import Enclosed
from tasks.letters.names import ProductNames
from tasks.letters.whose_vat import WhoseVat, of_two_countries
from tasks.letters.wording import Wording
from tasks.policy import Seller


@dataclass(frozen=True, kw_only=True)
class Occasion:
    """What is for letters of other kinds only is empty or zero."""

    order: Order
    lines: Sequence[OrderLine]
    account: Account
    contact: Contact
    seller: Seller
    names: ProductNames
    card: str | None
    """what the customer knows the card by: 'Visa •••• 4242'"""
    refunded_minor: int
    """for a refund notice: what went back to the card"""
    refunded_outside: bool
    """for a refund notice: whether that went back in another way than to the card"""
    transferred_minor: int
    """for a refund notice: what had been paid by transfer and is balance now"""
    trials_running: Sequence[str]
    """for a refund notice: products whose trials the order began and that go on although its money went back, by code"""
    unassigned: Mapping[str, int]
    """for a seat prompt: seats without a user, by product code"""
    credited_in: Mapping[int, str]
    """for a confirmation: whose VAT a line credits, ISO 3166, by position; without lines that credit none"""
    corrected_vat_minor: int
    """for a VAT correction: above zero, VAT due after all; below, VAT given back to the balance"""
    enclosed: Sequence[Enclosed]
    """the documents that the letter brings, in the order of their issue"""

    @cached_property
    def w(self) -> Wording:
        return Wording(self.order.language, self.order.currency, self.account.timezone)

    @cached_property
    def whose_vat(self) -> Mapping[int, WhoseVat]:
        """By position, the lines whose charge and credit bear the VAT of two countries."""
        return of_two_countries(
            self.lines, self.credited_in, seller_country=self.seller.country, buyer_country=self.account.country
        )

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
