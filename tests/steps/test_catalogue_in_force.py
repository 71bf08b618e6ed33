"""A process keeps what it has read of the catalogue, and sees the next one with the next quote."""

from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from models import cart_facts
from models.accounts import Account
from models.rules.cart import Offer
from tests.support.world import MONTH, World, purchase
from worker.loading import catalogue_file, catalogue_loading

CATALOGUE = """
effective_from: {effective_from}
products:
  desk:
    name: Desk
    trial_days: {trial_days}
    tiers:
      basic:
        name: Basic
        rank: {basic}
        prices: {{month: {{EUR: '5.00'}}}}
      team:
        name: Team
        rank: {team}
        prices: {{month: {{EUR: '{price}'}}}}
      business:
        name: Business
        rank: 3
        prices: {{month: {{EUR: '20.00'}}}}
"""
NEW = {"effective_from": "2026-11-01T00:00:00Z", "trial_days": 7, "basic": 2, "team": 1, "price": "11.00"}


@pytest.fixture
def offer(world: World) -> Offer:
    """As every process knows it before anything is loaded."""
    return now(world)


def now(world: World) -> Offer:
    with world.begin() as session:
        return desk(session, world)


def desk(session: Session, world: World) -> Offer:
    account = Account(name="Ada", country="DE", currency="EUR")
    session.add(account)
    session.flush()
    found = cart_facts.load(session, account_id=account.id, contact_id=None, products=["desk"], as_of=world.time)
    return found.offers["desk"]


def load(session: Session, world: World, folder: Path, **values: object) -> None:
    file = folder / "catalogue.yaml"
    file.write_text(CATALOGUE.format(**NEW | values), encoding="utf-8")
    catalogue_loading.load(session, catalogue_file.read(file), now=world.time)


def test_a_catalogue_loaded_meanwhile_counts_at_once(world: World, tmp_path: Path, offer: Offer) -> None:
    assert (offer.trial_days, offer.prices["team", MONTH]) == (14, 10_00)
    with world.begin() as session:
        load(session, world, tmp_path)
    assert now(world) == Offer(
        tier_ranks={"basic": 2, "team": 1, "business": 3},
        prices={("basic", MONTH): 5_00, ("team", MONTH): 11_00, ("business", MONTH): 20_00},
        trial_days=7,
    )


def test_prices_of_a_later_day_wait_for_it_and_the_rest_does_not(world: World, tmp_path: Path, offer: Offer) -> None:
    with world.begin() as session:
        load(session, world, tmp_path, effective_from="2026-12-01T00:00:00Z")
    renamed = now(world)
    assert (renamed.trial_days, renamed.tier_ranks["team"]) == (7, 1)
    assert renamed.prices == offer.prices
    world.pass_time(days=30)
    assert now(world).prices["team", MONTH] == 11_00


def test_a_catalogue_that_was_rolled_back_never_was(world: World, tmp_path: Path, offer: Offer) -> None:
    with world.begin() as session:
        load(session, world, tmp_path)
        assert desk(session, world).trial_days == 7
        session.rollback()
    assert now(world) == offer
    with world.begin() as session:
        load(session, world, tmp_path, trial_days=8)
    assert now(world).trial_days == 8


def test_an_order_that_waits_is_checked_with_the_new_catalogue(world: World, tmp_path: Path) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase("desk"))
    with world.begin() as session:
        load(session, world, tmp_path)
    assert (world.run(order_id).status, world.order(order_id).reason) == ("awaiting_confirmation", "amount-differs")
