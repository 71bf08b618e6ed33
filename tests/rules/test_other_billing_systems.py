"""Worked examples from the public documentation of others, computed with our rule; where they differ, why.

Read on 2026-11-22 in stored public copies of the pages named. Years not given by a source are chosen so that its numbers of days
hold. Only the credit for unused time is compared: most of them charge the new plan for the rest of the old period, we charge
it in full for a period that begins anew.
"""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from models.rules.period import Period
from models.rules.pricing import charge
from models.rules.proration import Proration, reset_period


class Example(NamedTuple):
    """`theirs` is the credit (minor units) that the source publishes; `ours` the one of our rule; `why` they differ, if so."""

    source: str
    charged: int
    start: str
    end: str
    changed: str
    counted: str
    theirs: int
    ours: int
    why: str = ""


AGREE = [
    Example("Stripe, docs.stripe.com/billing/subscriptions/prorations: 10 USD, half the period", 1000, "2026-06-01", "2026-07-01", "2026-06-16", "second", 500, 500),
    Example("SaaSykit, saasykit.com/docs/payment-providers/proration: 10 USD, halfway", 1000, "2026-09-01", "2026-10-01", "2026-09-16", "second", 500, 500),
    Example("Autumn, docs.useautumn.com/documentation/modelling-pricing/proration: 20 USD, halfway", 2000, "2026-04-01", "2026-05-01", "2026-04-16", "second", 1000, 1000),
    Example("Recurly, support.recurly.com 360029630811: 10 USD, 15 June to the 30th", 1000, "2026-06-01", "2026-07-01", "2026-06-16", "second", 500, 500),
    Example("Baremetrics, changelog 'API - Proration Charge Fixes': 12 USD, a week later", 1200, "2026-02-01", "2026-03-01", "2026-02-08", "second", 900, 900),
    Example("Chargebee, chargebee.com/docs/proration-old.html example 1: 60 USD, 20 of 30 days used", 6000, "2012-04-01", "2012-05-01", "2012-04-21", "day", 2000, 2000),
    Example("Zuora, docs.zuora.com usage charge proration: 31 USD, 17 of 31 days", 3100, "2023-01-01", "2023-02-01", "2023-01-15", "day", 1700, 1700),
    Example("Lokalise, docs.lokalise.com 2215560: 1920 USD a year, after 100 days", 192000, "2026-01-01", "2027-01-01", "2026-04-11", "day", 139397, 139397),
    Example("OBI, kb.obi.services upgrading: 300 USD, 25 days before the cycle ends", 30000, "2026-06-01", "2026-07-01", "2026-06-06", "second", 25000, 25000),
    Example("Trackly, help.trackly.io article 34: 10 USD, halfway", 1000, "2026-11-01", "2026-12-01", "2026-11-16", "second", 500, 500),
]  # fmt: skip

DIFFER = [
    Example("Chargebee, chargebee.com/docs/proration-old.html example 2: 90 USD, downgraded on 10 April", 9000, "2013-04-01", "2013-05-01", "2013-04-10", "day", 6000, 6300,
            "they count the day of the change as used: 10 days; with us it belongs to the new plan: 9 days"),
    Example("Samsung, developer.samsung.com/iap subscription plan examples: 30 USD, changed on 15 September", 3000, "2026-09-01", "2026-10-01", "2026-09-15", "day", 1500, 1600,
            "the same: 15 days used with them, 14 with us"),
    Example("Mlytics, help.mlytics.com article 25: 10 USD, 15 days left", 1000, "2026-09-01", "2026-10-01", "2026-09-16", "day", 495, 500,
            "they round the day's price (0.33) first and multiply it; we round the credit once"),
    Example("Zuora, docs.zuora.com credit for prorated discounts: 1200 USD a year, shortened to 3 months", 120000, "2026-01-01", "2027-01-01", "2026-04-01", "day", 90000, 90411,
            "they count months of a twelfth each; we count the year's days"),
    Example("Vault Services, support.vaultservices.net 208283816: 500 USD a year, after 3.5 months", 50000, "2026-01-01", "2027-01-01", "2026-04-16", "second", 37500, 35616,
            "they round the time used down to whole months"),
    Example("Atlassian, support.atlassian.com how maximum quantity billing works: 10 users at 18 USD, fewer users", 18000, "2026-06-01", "2026-07-01", "2026-06-16", "second", 0, 9000,
            "they give no credit for users removed within a month"),
]  # fmt: skip


def ours(example: Example, new_charge: int = 0, interval: str = "month") -> Proration:
    start, end, changed = (
        datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (example.start, example.end, example.changed)
    )
    return reset_period(
        charged_minor=example.charged,
        period=Period(start, end),
        changed_at=changed,
        new_charge_minor=new_charge,
        new_interval=interval,
        granularity=example.counted,
    )


@pytest.mark.parametrize("example", AGREE, ids=lambda example: example.source.split(",")[0])
def test_our_credit_is_the_one_they_publish(example: Example) -> None:
    assert ours(example).unused_minor == example.ours == example.theirs


@pytest.mark.parametrize("example", DIFFER, ids=lambda example: example.source.split(",")[0])
def test_our_credit_differs_from_the_one_they_publish_for_a_reason(example: Example) -> None:
    assert ours(example).unused_minor == example.ours != example.theirs
    assert example.why


def test_lokalise_starts_the_new_year_at_the_change_as_we_do_and_charges_the_same() -> None:
    lokalise = next(example for example in AGREE if example.source.startswith("Lokalise"))
    change = ours(lokalise, new_charge=480000, interval="year")
    assert change.net_minor == 340603
    assert change.new_period.end == datetime(2027, 4, 11, tzinfo=UTC)


def test_chargebees_one_day_of_february_costs_what_they_publish() -> None:
    """support.chargebee.com 255958: 649 USD, 31 January to 1 February of the term to 28 February: 23.18."""
    term = Period(datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 2, 28, tzinfo=UTC))
    change = reset_period(
        charged_minor=64900,
        period=term,
        changed_at=term.start + timedelta(days=1),
        new_charge_minor=0,
        new_interval="month",
    )
    assert change.used_minor == 2318


def test_atlassians_ten_users_cost_what_they_publish() -> None:
    assert charge(unit_price_minor=1800, seats=10) == 18000
