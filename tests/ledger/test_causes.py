"""Under which causes an order's movements of balance are kept: existing ledgers have these."""

from uuid import UUID

from models.ledger import Cause, cause_of

ORDER = UUID("01a22cd6-bc99-7206-97d2-d92c1979fe8b")


def test_the_causes_of_an_orders_movements_stay_as_they_are() -> None:
    assert [cause_of(ORDER, cause) for cause in Cause] == [
        "order:01a22cd6-bc99-7206-97d2-d92c1979fe8b:reserve",
        "order:01a22cd6-bc99-7206-97d2-d92c1979fe8b:release",
        "order:01a22cd6-bc99-7206-97d2-d92c1979fe8b:credit",
        "order:01a22cd6-bc99-7206-97d2-d92c1979fe8b:take-back",
        "order:01a22cd6-bc99-7206-97d2-d92c1979fe8b:vat-credit",
        "order:01a22cd6-bc99-7206-97d2-d92c1979fe8b:transfer-credit",
    ]


def test_a_reservation_and_its_release_name_the_orders_revision() -> None:
    assert (cause_of(ORDER, Cause.RESERVE, 1), cause_of(ORDER, Cause.RELEASE, 2)) == (
        "order:01a22cd6-bc99-7206-97d2-d92c1979fe8b:reserve:1",
        "order:01a22cd6-bc99-7206-97d2-d92c1979fe8b:release:2",
    )
