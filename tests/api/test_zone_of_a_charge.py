"""What was charged in one time zone is credited in it, whatever zone the customer has chosen since."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from models.rules.proration import Granularity
from tests.api.conftest import Api, change, purchase
from tests.invoices.documents import one, pdf, text_of
from tests.support.books import verified
from tests.support.world import Customer, World


def at(*when: int) -> datetime:
    return datetime(*when, tzinfo=UTC)  # type: ignore[arg-type, misc]


NOVEMBER = ("UTC", at(2026, 11, 1, 23, 30), at(2026, 11, 16, 12), "Europe/Berlin")
OCTOBER = ("Europe/Berlin", at(2026, 9, 30, 23, 30), at(2026, 10, 15, 12), "UTC")


def bought(world: World, api: Api, zone: str, when: datetime) -> Customer:
    """9 seats at 10.00 a month, of a merchant that counts days."""
    world.policy(granularity=Granularity.DAY)
    world.time = when
    ada = world.customer(timezone=zone)
    api.use(ada)
    world.run(ordered(api, ada, api.quote(ada, purchase(seats=9)).json()))
    return ada


def ordered(api: Api, ada: Customer, quote: dict[str, Any]) -> Any:
    return api.place(ada, quote["id"]).json()["id"]


def moved(api: Api, ada: Customer, zone: str) -> None:
    assert api("PATCH", f"/v1/accounts/{ada.account_id}", json={"timezone": zone}).status_code == 200


def counted(quote: dict[str, Any]) -> tuple[int, int, int, int]:
    """Days left and days of the period; the credit and its VAT."""
    (line,) = quote["lines"]
    before = line["before"]
    return before["share_left"], before["share_whole"], line["credit"]["minor"], line["credit_tax"]["minor"]


@pytest.mark.parametrize(
    ("case", "expected"), [(NOVEMBER, (15, 30, 45_00, 8_55)), (OCTOBER, (17, 31, 49_35, 9_38))], ids=["east", "west"]
)
def test_another_time_zone_changes_no_credit(
    world: World, api: Api, case: tuple[str, datetime, datetime, str], expected: tuple[int, int, int, int]
) -> None:
    zone, when, world_time, another = case
    ada = bought(world, api, zone, when)
    world.time = world_time
    before = api.quote(ada, change(seats=10)).json()
    moved(api, ada, another)
    after = api.quote(ada, change(seats=10)).json()
    assert counted(before) == counted(after) == expected
    assert before["totals"] == after["totals"]


@pytest.mark.parametrize(
    ("case", "had", "left", "credited", "charged"),
    [
        (
            NOVEMBER,
            "from 1 November 2026 to 1 December 2026.",
            "(16 November 2026, 12:00 UTC): 15 of 30 calendar days",
            "16 November 2026 – 1 December 2026 15 of 30 days of €90.00 charged on INV-2026-000001",
            "16 November 2026 – 16 December 2026",
        ),
        (
            OCTOBER,
            "from 1 October 2026 to 1 November 2026.",
            "(15 October 2026, 14:00 UTC+2): 17 of 31 calendar days",
            "15 October 2026 – 1 November 2026 17 of 31 days of €90.00 charged on INV-2026-000001",
            "15 October 2026 – 15 November 2026",
        ),
    ],
    ids=["east", "west"],
)
def test_every_text_names_the_days_that_the_credited_invoice_named(
    world: World,
    api: Api,
    case: tuple[str, datetime, datetime, str],
    had: str,
    left: str,
    credited: str,
    charged: str,
) -> None:
    zone, when, world_time, another = case
    ada = bought(world, api, zone, when)
    world.time = world_time
    moved(api, ada, another)
    quote = api.quote(ada, change(seats=10)).json()
    order = world.run(ordered(api, ada, quote))
    said = text_of(pdf(world, one(world, order.id)))
    assert credited in said
    assert f"Desk Team billed monthly {charged} 10" in said
    mail = next(m for m in world.mailbox.listed(f"to:{ada.email}") if str(order.number) in m["Subject"])
    letter = world.mailbox.read(mail["ID"])["Text"]
    texts = [said, " ".join(letter.split())]
    for path in (f"quotes/{quote['id']}", f"orders/{order.id}"):
        (line,) = api.get(f"/v1/{path}/explanation").json()["lines"]
        texts.append(" ".join(line["sentences"]).replace("\xa0", " "))
    for each in texts:
        assert had in each
        assert left in each
    assert verified(world) == []


def test_an_order_from_before_its_zone_was_kept_is_credited_in_the_zone_of_today(world: World, api: Api) -> None:
    ada = bought(world, api, "UTC", at(2026, 11, 1, 23, 30))
    with world.begin() as session:
        session.execute(text("update orders set sold_to = sold_to - 'timezone'"))
    world.time = at(2026, 11, 16, 12)
    moved(api, ada, "Europe/Berlin")
    assert counted(api.quote(ada, change(seats=10)).json()) == (16, 30, 48_00, 9_12)
