"""What bears no VAT rests on an answer of VIES that confirmed the number, or that is still awaited."""

from datetime import UTC, datetime

import pytest

from models.accounts import VatCheck
from models.rules.proration import Granularity
from tasks.ledger_check.differences import Check, Difference
from tasks.policy import VatOutage
from tests.ledger.test_verify import broken
from tests.support.vat_outage import NUMBER, ask_again, during_outage, nothing_differs, turns_out_invalid
from tests.support.world import World, change, purchase

WITHOUT_TRACE = "alter table {0} disable trigger user; update {0} set "
OTHER = "ATU66664013"


def of_vat(found: list[Difference]) -> list[str]:
    return [str(each) for each in found if each.check is Check.VAT]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ("status = 'invalid'", "order 1001: what VIES answered about its VAT number should be valid, is invalid"),
        (f"number = '{OTHER}'", f"order 1001: the VAT number that VIES was asked about should be {NUMBER}, is {OTHER}"),
    ],
)
def test_an_answer_that_was_changed_is_named(world: World, changed: str, said: str) -> None:
    world.buy(world.customer(country="AT", vat_number=NUMBER), purchase())
    assert nothing_differs(world)
    assert of_vat(broken(world, WITHOUT_TRACE.format("vat_checks") + changed)) == [said]


def test_a_sale_on_an_earlier_answer_is_no_difference(world: World) -> None:
    eva = world.customer(country="AT", vat_number=NUMBER)
    world.buy(eva, purchase())
    world.buy(eva, purchase("wiki", "basic"))
    assert len(world.rows(VatCheck)) == 1
    assert nothing_differs(world)


def test_a_sale_without_vat_and_without_an_answer_is_named(world: World) -> None:
    world.buy(world.customer(country="AT", vat_number=NUMBER), purchase())
    assert of_vat(broken(world, "update orders set vat_check_id = null")) == [
        "order 1001: what VIES answered about its VAT number should be valid, is nothing"
    ]


def test_a_number_taken_on_trust_is_to_be_asked_about_until_it_is_answered(world: World) -> None:
    during_outage(world)
    assert nothing_differs(world)
    assert of_vat(broken(world, "delete from vat_follow_ups")) == [
        "order 1001: what VIES answered about its VAT number should be valid, is unavailable"
    ]


@pytest.mark.parametrize("policy", [VatOutage.PROVISIONAL, VatOutage.CHARGE_VAT])
@pytest.mark.parametrize(("answer", "other"), [("valid", "invalid"), ("invalid", "valid")])
def test_a_late_answer_is_the_one_that_the_timeline_tells(
    world: World, policy: VatOutage, answer: str, other: str
) -> None:
    during_outage(world, policy)
    world.vies.register(NUMBER, status=answer)
    ask_again(world)
    assert nothing_differs(world)
    rests_on_it = policy is VatOutage.PROVISIONAL or answer == "valid"
    assert (
        of_vat(broken(world, WITHOUT_TRACE.format("vat_checks") + f"status = '{other}'"))
        == [f"order 1001: what VIES answered about its VAT number should be {answer}, is {other}"] * rests_on_it
    )


def test_an_invalid_number_under_which_nothing_is_left_to_tax_is_no_difference(world: World) -> None:
    """It was credited in full on the day on which it was sold, before VIES answered: there is no document about that."""
    world.policy(granularity=Granularity.DAY)
    world.time = datetime(2026, 11, 30, 15, 0, tzinfo=UTC)
    eva, _ = during_outage(world)
    world.vies.register(OTHER, status="valid")
    world.change_account(eva, vat_number=OTHER)
    world.buy(eva, change("desk", seats=12))
    turns_out_invalid(world)
    assert nothing_differs(world)
