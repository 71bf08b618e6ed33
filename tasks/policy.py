"""The merchant's choices that decide what a step does; `worker` reads them from the settings and plugs them in at start."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from models.rules import vat, vat_number
from models.rules.proration import Granularity
from models.rules.timezone import local, zone


class VatOutage(StrEnum):
    """What to do with a VAT number while the registry gives no answer."""

    PROVISIONAL = "provisional"
    """accept it if format and country agree, ask again later, correct if it fails"""
    CHARGE_VAT = "charge_vat"
    """charge VAT now (the customer confirms the amount), credit it once the number turns out valid"""
    HOLD = "hold"
    """wait until the registry answers"""


@dataclass(frozen=True, slots=True)
class Seller:
    name: str
    country: str
    address: str
    vat_number: str | None
    """as it is given, and printed"""
    support_email: str
    public_url: str
    """no slash at its end"""
    corporate_portal_url: str
    mail_domain: str
    """right of the @ in Message-IDs, in ASCII: as the mail server is told it"""
    bank_account: str | None = None
    """where customers pay invoices, as printed on them: bank, IBAN, BIC"""
    legal_notice: str | None = None
    """what its law requires at the foot of an invoice, as printed there: register, capital, managers"""

    @property
    def requester(self) -> str | None:
        """What the VAT registry is told of who asks: its number as the registry wants it; None if the registry does not know such numbers."""
        return vat_number.as_requester(self.vat_number, country=self.country)

    def day(self, moment: datetime) -> date:
        """The day on the clock of its country, which dates documents and so assigns them to its VAT returns."""
        return local(moment, self._clock).date()

    def end_of(self, day: date) -> datetime:
        """The first moment after `day` on that clock."""
        return datetime.combine(day + timedelta(days=1), time(), zone(self._clock))

    @property
    def _clock(self) -> str:
        return vat.clock_of(self.country) or "UTC"


@dataclass(frozen=True, slots=True)
class Policy:
    seller: Seller
    quote_lifetime: timedelta = timedelta(minutes=30)
    granularity: Granularity = Granularity.SECOND
    invoice_on_vat: bool = False
    payment_terms: timedelta = timedelta(days=30)
    vat_outage: VatOutage = VatOutage.PROVISIONAL
    vat_evidence_lifetime: timedelta = timedelta(days=1)
    """how long the registry's answer counts before it is asked again"""
    waiting_lifetime: timedelta = timedelta(days=7)
    authentication_lifetime: timedelta = timedelta(hours=1)
    """how long a payment may wait to be authenticated: it pays for the quote's period, which has begun"""
    max_restarts: int = 10
    lease: timedelta = timedelta(seconds=8)
    """how long after a worker's last renewal another may take its order over; a running step keeps renewing"""
    charge_key_lifetime: timedelta = timedelta(hours=23)
    """how long the provider remembers an idempotency key, with a margin (Stripe: at least 24 h)"""
