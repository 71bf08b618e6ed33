"""An order's documents over HTTP."""

from tasks.billing import receivables, unpaid
from tests.api.conftest import Api
from tests.invoices.documents import html, one, pdf
from tests.support.vat_outage import corrected_invoice
from tests.support.world import Customer, World, change, purchase, trial


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
    assert set(as_html.headers["content-security-policy"].split("; ")) == {
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    }


def test_a_credit_note_names_each_document_that_charged_what_it_credits(world: World, api: Api, ada: Customer) -> None:
    """As its page does. The field that has room for one number stays empty: the order corrected none of them as a whole."""
    bought = [world.buy(ada, purchase(product, "team", seats=10)) for product in ("desk", "chat")]
    world.pass_time(days=15)
    reduced = world.buy(ada, change("chat", seats=1), change("desk", seats=1))
    shown = api.get(f"/v1/orders/{reduced.id}/invoices").json()["invoices"]
    assert [(each["number"], each["corrects"], each["corrects_all"]) for each in shown] == [
        ("CN-2026-000001", None, ["INV-2026-000001", "INV-2026-000002"])
    ]
    for order in bought:
        (invoice,) = api.get(f"/v1/orders/{order.id}/invoices").json()["invoices"]
        assert (invoice["corrects"], invoice["corrects_all"]) == (None, [])


def test_an_invoice_that_credits_something_corrects_nothing(world: World, api: Api, ada: Customer) -> None:
    world.buy(ada, purchase("desk", "team", seats=10))
    world.pass_time(days=15)
    raised = world.buy(ada, change("desk", seats=20))
    (shown,) = api.get(f"/v1/orders/{raised.id}/invoices").json()["invoices"]
    assert (shown["kind"], shown["corrects"], shown["corrects_all"]) == ("invoice", None, [])


def test_a_correction_names_what_it_corrects_in_both_fields(world: World, api: Api) -> None:
    eva, order = corrected_invoice(world)
    api.use(eva)
    shown = api.get(f"/v1/orders/{order.id}/invoices").json()["invoices"]
    assert [(each["number"], each["corrects"], each["corrects_all"]) for each in shown] == [
        ("INV-2026-000001", None, []),
        ("CN-2026-000001", "INV-2026-000001", ["INV-2026-000001"]),
        ("INV-2026-000002", "INV-2026-000001", ["INV-2026-000001"]),
    ]


def test_without_a_number_the_document_in_force_is_what_is_given(world: World, api: Api) -> None:
    """Not the one that a credit note has cancelled; that has its number."""
    eva, order = corrected_invoice(world)
    api.use(eva)
    base = f"/v1/orders/{order.id}/invoice"
    named = 'attachment; filename="{}.pdf"'
    assert api.get(f"{base}.pdf").headers["content-disposition"] == named.format("INV-2026-000002")
    assert api.get(f"{base}.html").text == api.get(f"{base}.html?number=INV-2026-000002").text
    cancelled = api.get(f"{base}.pdf?number=INV-2026-000001")
    assert cancelled.headers["content-disposition"] == named.format("INV-2026-000001")


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


def test_what_is_owed_is_open_again_when_its_payment_is_withdrawn(world: World, api: Api) -> None:
    eva, order = corrected_invoice(world)
    api.use(eva)
    number = "INV-2026-000002"

    def owed() -> tuple[int, str]:
        *_, shown = api.get(f"/v1/orders/{order.id}/invoices").json()["invoices"]
        assert shown["number"] == number
        return shown["owed"]["amount"]["minor"], shown["owed"]["status"]

    with world.begin() as session:
        receivables.mark_paid(session, number, on=world.time, by="ops")
    assert owed() == (20_00, "paid")
    with world.begin() as session:
        unpaid.mark_unpaid(session, number, on=world.time, by="ops", why="called back")
    assert owed() == (20_00, "open")
