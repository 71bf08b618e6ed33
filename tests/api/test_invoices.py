"""An order's documents over HTTP."""

from tests.api.conftest import Api
from tests.invoices.documents import html, one, pdf
from tests.support.world import Customer, World, purchase, trial


def test_an_order_lists_its_invoice_with_links_that_lead_to_it(world: World, api: Api, ada: Customer) -> None:
    order = world.buy(ada, purchase("desk", "team", seats=10))
    (shown,) = api.get(f"/v1/orders/{order.id}/invoices").json()["invoices"]
    assert (shown["number"], shown["kind"], shown["total"]["minor"], shown["owed"]) == (
        "INV-2026-000001",
        "invoice",
        119_00,
        None,
    )
    as_pdf, as_html = api.get(shown["links"]["pdf"]), api.get(shown["links"]["html"])
    assert as_pdf.headers["content-type"] == "application/pdf"
    assert as_pdf.headers["content-disposition"] == 'attachment; filename="INV-2026-000001.pdf"'
    assert as_pdf.content == pdf(world, one(world, order.id))
    assert as_html.text == html(world, one(world, order.id))


def test_an_order_without_an_invoice_says_so(world: World, api: Api, ada: Customer) -> None:
    order = world.buy(ada, trial())
    assert api.get(f"/v1/orders/{order.id}/invoices").json() == {"invoices": [], "next_after": None}
    assert api.get(f"/v1/orders/{order.id}/invoice.pdf").status_code == 404


def test_a_document_of_another_order_or_account_is_not_there(world: World, api: Api, ada: Customer) -> None:
    mine, bob = world.buy(ada, purchase("desk")), world.customer()
    theirs = world.buy(bob, purchase("desk"))
    for path in (
        f"{mine.id}/invoice.pdf?number={one(world, theirs.id).number}",
        f"{theirs.id}/invoice.pdf",
        f"{theirs.id}/invoices",
    ):
        assert api.get(f"/v1/orders/{path}").status_code == 404
