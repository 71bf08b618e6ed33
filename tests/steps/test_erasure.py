"""A person is erased wherever the law allows it, at once or not at all; the books, the documents and everybody else stay as they are."""

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Text, delete, event, insert, literal, select, text, update
from structlog.testing import capture_logs

from models import any_locale, migrations
from models.accounts import Account, Contact
from models.erasures import Erasure
from models.messages import SentLetter, WebhookReceived
from models.orders import Order, OrderEvent, Quote
from models.payments import ChargeAttempt
from models.states import LetterKind, LetterStatus, OrderStatus, Step
from models.subscriptions import SeatAssignment
from models.support_cases import SupportCase
from models.tables import metadata
from tasks import placement
from tasks.errors import Misconfigured
from tasks.operating import letters_again, resumption, support_desk, support_refund
from tasks.personal_data import erasure, finding, holdings
from tasks.personal_data.erasure import Erased, NotErasable
from tasks.personal_data.person import Person, person
from tasks.quotes import support_case
from tasks.upstream import payment_details, seats, who_orders
from tasks.vat import unsent_letters
from tests.invoices.documents import documents, one, pdf
from tests.support.disputes import happens
from tests.support.many_orders import Plans, copy_completed_orders
from tests.support.vat_outage import NUMBER, ask_again, during_outage, nothing_differs
from tests.support.waiting import until_it_waits_for
from tests.support.world import Customer, World, change, purchase

NAME = "Ada Byron"


def erase(customer: Customer | str) -> Erased:
    email = customer if isinstance(customer, str) else customer.email
    return erasure.erase(email, by="bob", why="asked on 3 May")


def everything(world: World) -> dict[str, list[str]]:
    """Every row of every table, as text."""
    with world.begin() as session:
        return {
            table.name: sorted(session.scalars(text(f'select "{table.name}"::text from "{table.name}"')))
            for table in metadata.sorted_tables
        }


def tables_that_name(world: World, what: str) -> set[str]:
    return {name for name, rows in everything(world).items() if any(what in row for row in rows)}


def add_contact(world: World, customer: Customer, email: str) -> UUID:
    with world.begin() as session:
        contact = Contact(account_id=customer.account_id, name="Bob", email=email, is_billing_contact=True)
        session.add(contact)
    return contact.id


def unassign(world: World, customer: Customer, email: str) -> None:
    with world.begin() as session:
        seats.unassign(session, subscription_id=world.subscription(customer, "desk").id, email=email, now=world.time)


def close_case(world: World) -> None:
    with world.begin() as session:
        number = session.scalars(select(SupportCase.number)).one()
        support_desk.close(session, number, by="bob", why="agreed")


def rejected_naming(world: World, customer: Customer) -> UUID:
    """An order that another contact placed, and that was refused with the names of the billing contacts."""
    bob = add_contact(world, customer, "bob@customer.example")
    quote = world.quote(customer, purchase("chat"), contact_id=bob)
    with world.begin() as session:
        session.get_one(Contact, bob).is_billing_contact = False
    order = world.run(world.place_quote(customer, quote.id))
    assert order.status is OrderStatus.REJECTED
    return order.id


@pytest.fixture
def left(world: World) -> Customer:
    """Somebody who has left: with orders, a letter each, a seat they had, a case that is closed, an order that names them."""
    ada = world.customer()
    world.buy(ada, purchase("desk", "team", 10))
    world.assign(ada, "desk", ada.email, "mia@customer.example")
    unassign(world, ada, ada.email)
    world.refused(ada, change(tier="basic"))
    close_case(world)
    rejected_naming(world, ada)
    return ada


def test_the_address_is_in_no_table_any_more_and_the_name_on_invoices_alone(world: World, left: Customer) -> None:
    assert tables_that_name(world, left.email) == {"contacts", "seat_assignments", "support_cases", "orders"}
    done = erase(left)
    assert {name: len(ids) for name, ids in done.rows.items()} == {
        "contacts": 1, "seats": 1, "support_cases": 1, "reasons": 1
    }  # fmt: skip
    assert tables_that_name(world, left.email) == set()
    assert tables_that_name(world, NAME) == {"invoices"}


def test_what_stands_in_its_place(world: World, left: Customer) -> None:
    erase(left)
    [contact] = world.rows(Contact, id=left.contact_id)
    assert (contact.name, contact.email) == ("(erased)", f"{left.contact_id}@erased.invalid")
    assert (contact.is_billing_contact, contact.erased_at) == (False, world.time)
    assert sorted(row.user_email for row in world.rows(SeatAssignment)) == [
        "mia@customer.example",
        "user@erased.invalid",
    ]
    [case] = world.rows(SupportCase)
    assert (case.text, case.to_tier, case.closed_by, case.closed_why) == ("(erased)", "basic", "bob", "agreed")
    [refused] = world.rows(Order, status=OrderStatus.REJECTED)
    assert refused.reason_facts["refusals"][0]["billing_contacts"] == ["(erased)"]


def test_what_stays_is_named_and_unchanged(world: World, left: Customer) -> None:
    before = everything(world)
    done = erase(left)
    assert done.stays == {
        "accounts": 1, "payment_methods": 1, "orders": 1, "charges": 1, "invoices": 1, "vat_checks": 0, "quotes": 1, "letters": 2, "webhooks": 0
    }  # fmt: skip
    after = everything(world)
    assert {name for name in before if before[name] != after[name]} == {
        "contacts", "seat_assignments", "support_cases", "orders", "erasures"
    }  # fmt: skip
    assert [kind.name for kind in holdings.HOLDINGS if bool(kind.erase) == bool(kind.stays)] == []


def test_the_books_agree_and_the_invoice_is_the_same_to_the_byte(world: World, left: Customer) -> None:
    [order] = world.rows(Order, contact_id=left.contact_id)
    before = pdf(world, one(world, order.id))
    erase(left)
    assert nothing_differs(world)
    assert pdf(world, one(world, order.id)) == before


def test_an_erasure_is_recorded_by_whom_when_and_why_but_not_of_whom(world: World, left: Customer) -> None:
    with capture_logs() as logs:
        done = erasure.erase(left.email, by=" bob\x1b[2J ", why="asked on 3 May\n\udcff")
    [record] = world.rows(Erasure)
    assert (record.id, record.erased_at, record.erased_by) == (done.erasure_id, world.time, "bob [2J")
    assert record.erased_why == "asked on 3 May ?"
    assert record.rows == {name: [str(each) for each in ids] for name, ids in done.rows.items()}
    assert record.rows["contacts"] == [str(left.contact_id)]
    [line] = [each for each in logs if each["event"] == "person erased"]
    assert (line["erasure_id"], line["account_ids"]) == (str(record.id), [str(left.account_id)])
    assert not any(word in json.dumps(line) for word in (left.email, NAME, "bob", "May"))


@pytest.mark.parametrize("field", ["by", "why"])
def test_whoever_names_the_person_in_the_record_is_refused(world: World, left: Customer, field: str) -> None:
    before = everything(world)
    for written in ("mail from <{}>", "asked by '{}'", "CRM/{}", "{}-Konto"):
        with pytest.raises(NotErasable, match="name the person neither in --why nor in --by"):
            erasure.erase(left.email, **{"by": "bob", "why": "asked", field: written.format(left.email.upper())})
    assert everything(world) == before


def test_the_name_counts_as_the_person_too(world: World, left: Customer) -> None:
    [contact] = [each for each in world.rows(Contact) if each.email == left.email]
    with pytest.raises(NotErasable, match="name the person neither in --why nor in --by"):
        erasure.erase(left.email, by="bob", why=f"{contact.name.upper()} wrote to us")
    assert world.rows(Erasure) == []


def test_why_a_case_was_closed_is_told_and_erased_where_it_names_the_person(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase())
    world.refused(ada, change(tier="basic"))
    [case] = world.rows(SupportCase)
    with world.begin() as session:
        support_desk.close(session, case.number, by="bob", why=f"{ada.email} was rude")
    assert [each["closed_why"] for each in held(world, ada.email)["support_cases"]] == [f"{ada.email} was rude"]
    erase(ada)
    assert [(each.text, each.closed_why) for each in world.rows(SupportCase)] == [("(erased)", "(erased)")]


@pytest.mark.parametrize("written", ["told {}", "'{}' was told", "CRM/{}", "*{}*", "email={}", "{}-Konto"])
def test_anothers_case_keeps_its_words_where_only_its_end_names_the_person(
    world: World, left: Customer, written: str
) -> None:
    bea = world.customer()
    world.buy(bea, purchase())
    world.refused(bea, change(tier="basic"))
    [case] = [each for each in world.rows(SupportCase) if each.account_id == bea.account_id]
    with world.begin() as session:
        support_desk.close(session, case.number, by="bob", why=written.format(left.email))
    erase(left)
    [after] = [each for each in world.rows(SupportCase) if each.id == case.id]
    assert (after.text, after.closed_why) == (case.text, "(erased)")


@pytest.mark.parametrize("written", ["JÖRG@KÖLN.EXAMPLE", "Jörg@Köln.Example"])
def test_an_address_is_found_however_it_is_written_whatever_letters_the_databases_locale_knows(
    world: World, left: Customer, written: str
) -> None:
    add_contact(world, left, "jörg@köln.example")
    bea = world.customer()
    world.buy(bea, purchase())
    world.refused(bea, change(tier="basic"))
    [case] = [each for each in world.rows(SupportCase) if each.account_id == bea.account_id]
    order = rejected_naming(world, bea)
    with world.begin() as session:
        support_desk.close(session, case.number, by="bob", why=f"told {written}")
        session.get_one(Order, order).reason_facts = {"name": written}
    done = erase("jörg@köln.example")
    assert (done.rows["support_cases"], done.rows["reasons"]) == ([case.id], [order])
    assert tables_that_name(world, written) == set()


@pytest.mark.parametrize(
    ("text", "part", "may"),
    [
        ("Ada@X.Example", "ada@x.example", True),
        ("LI_SA@X.EXAMPLE", "li_sa@x.example", True),
        ("JÖRG@X.EXAMPLE", "jörg@x.example", True),
        ("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}DA", "i\N{COMBINING DOT ABOVE}da", True),
        ("\N{KELVIN SIGN}IM", "kim", True),
        ("50 %", "50 %", True),
        ("ada@y.example", "ada@x.example", False),
        ("bob\\", "ada", False),
    ],
)
def test_what_python_would_find_is_never_left_out_before(world: World, text: str, part: str, may: bool) -> None:
    with world.begin() as session:
        assert session.scalar(select(any_locale.may_contain(literal(text), part))) is may
    assert may or part not in text.lower()


def test_a_wish_for_a_lower_tier_waits_for_nobody_who_is_erased_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = world.customer()
    world.buy(ada, purchase())
    real = support_case.open_cases

    def after_the_erasure(*words: Any) -> None:
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(erase, ada).result().erasure_id is not None
        real(*words)

    monkeypatch.setattr(placement, "open_cases", after_the_erasure)
    world.refused(ada, change(tier="basic"))
    assert world.rows(SupportCase) == []
    assert tables_that_name(world, ada.email) == set()


def test_a_downgrade_and_an_upgrade_leave_whoever_was_erased_nobody(world: World, world_database_url: str) -> None:
    ada = world.customer()
    world.buy(ada, purchase())
    erase(ada)
    migrations.downgrade(world_database_url, "0016")
    migrations.upgrade(world_database_url)
    [contact] = world.rows(Contact)
    assert (contact.name, contact.is_billing_contact, contact.erased_at is None) == ("(erased)", False, False)


def test_a_second_erasure_of_the_same_person_does_nothing(world: World, left: Customer) -> None:
    erase(left)
    before = everything(world)
    again = erase(left)
    assert (set(map(len, again.rows.values())), set(again.stays.values()), again.erasure_id) == ({0}, {0}, None)
    assert everything(world) == before


def test_a_preview_says_the_same_and_changes_nothing(world: World, left: Customer) -> None:
    before = everything(world)
    would = erasure.preview(left.email)
    assert everything(world) == before
    done = erase(left)
    assert (would.rows, would.stays, would.erasure_id) == (done.rows, done.stays, None)


def test_one_person_of_several_accounts_is_erased_in_all(world: World) -> None:
    ada, other = world.customer(), world.customer()
    contact = add_contact(world, other, ada.email)
    assert sorted(erase(ada).rows["contacts"]) == sorted([ada.contact_id, contact])
    assert {row.email for row in world.rows(Contact, name="(erased)")} == {
        f"{ada.contact_id}@erased.invalid", f"{contact}@erased.invalid"
    }  # fmt: skip


def test_several_people_of_one_account_can_be_erased(world: World) -> None:
    ada = world.customer()
    add_contact(world, ada, "bob@customer.example")
    for email in (ada.email, "bob@customer.example"):
        assert len(erase(email).rows["contacts"]) == 1
    assert len({row.email for row in world.rows(Contact, account_id=ada.account_id)}) == 2


def test_somebody_who_only_had_a_seat_is_erased_too(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase())
    world.assign(ada, "desk", "mia@customer.example")
    unassign(world, ada, "mia@customer.example")
    done = erase("mia@customer.example")
    assert [len(done.rows[name]) for name in ("contacts", "seats")] == [0, 1]
    assert tables_that_name(world, "mia@customer.example") == set()


@pytest.mark.parametrize("longer", ["x{}", "x.{}", "x+{}", "{}.org", "{}-x", "{}x", "ada@x_example"])
def test_a_longer_address_is_somebody_elses(longer: str) -> None:
    assert not Person("ada@x.example").is_named_in(f"Ada <{longer.format('ada@x.example')}>")


@pytest.mark.parametrize("said", ["{}", "<{}>", "to {}.", '"{}"', "mailto:{},", "({})"])
def test_an_address_is_found_wherever_it_stands_and_however_it_is_written(said: str) -> None:
    assert Person("ada@x.example").is_named_in(said.format("Ada@X.Example"))


@pytest.mark.parametrize(
    "said",
    ["'{}'", "`{}`", "email={}", "CRM/{}", "*{}*", "_{}_", "{{{}}}", "|{}|", "#{}", "{}-Konto", "{}.", "{}.Danke"],
)
def test_in_what_people_type_any_punctuation_ends_an_address(said: str) -> None:
    assert Person("ada@x.example").may_be_named_in(f"Told {said.format('Ada@X.Example')}")


@pytest.mark.parametrize("longer", ["x{}", "1{}", "{}s"])
def test_in_what_people_type_a_letter_more_makes_another_address(longer: str) -> None:
    assert not Person("ada@x.example").may_be_named_in(longer.format("ada@x.example"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Agreed with Ada@X.Example; told bob@y.example.", "Agreed with Ada@X.Example; told (another address)"),
        ("<bob@y.example>, 'ada@x.example'", "<(another address)>, 'ada@x.example'"),
        ("x-ada@x.example", "(another address)"),
        ("bob@y.example/ada@x.example", "(another address)/ada@x.example"),
        ("ada@x.example/bob@y.example", "ada@x.example(another address)"),
        ("ada@x.example-bob@y.example", "(another address)(another address)"),
        ("3 @ 5 €", "3 (another address) 5 €"),
        ("no address", "no address"),
    ],
)
def test_of_a_text_nobody_elses_address_is_told(text: str, told: str) -> None:
    assert Person("ada@x.example").alone_in(text) == told


@pytest.mark.parametrize("own", ["_ada@x.example", "+ada@x.example", "-ada@x.example"])
def test_an_address_that_begins_with_punctuation_is_told_to_whose_it_is(own: str) -> None:
    assert Person(own).alone_in(f"told {own.upper()} so") == f"told {own.upper()} so"


def test_whoever_has_a_longer_address_stays(world: World) -> None:
    ada = world.customer()
    with world.begin() as session:
        session.get_one(Contact, ada.contact_id).email = "xada@customer.example"
    rejected_naming(world, ada)
    contact = add_contact(world, ada, "ada@customer.example")
    done = erase("ada@customer.example")
    assert {name: ids for name, ids in done.rows.items() if ids} == {"contacts": [contact]}
    assert tables_that_name(world, "xada@customer.example") == {"contacts", "orders"}


def test_what_was_left_of_somebody_who_is_no_contact_any_more_is_erased(world: World, left: Customer) -> None:
    """Whom somebody made unrecognizable by SQL, for example."""
    with world.begin() as session:
        session.execute(update(Contact).values(email=Contact.id.cast(Text) + "@x.example"))
        session.execute(delete(SeatAssignment))
    done = erase(left)
    assert {name for name, ids in done.rows.items() if ids} == {"support_cases", "reasons"}
    assert tables_that_name(world, left.email) == set()


# As long as it is needed, nothing is erased.


def seated(world: World, ada: Customer) -> Callable[[], Any]:
    world.buy(ada, purchase())
    world.assign(ada, "desk", ada.email)
    return lambda: unassign(world, ada, ada.email)


def open_order(world: World, ada: Customer) -> Callable[[], Any]:
    order = world.place(ada, purchase())
    return lambda: world.run(order)


def waiting_order(world: World, ada: Customer) -> Callable[[], Any]:
    world.give_card(ada, "pm_card_chargeCustomerFail")
    order = world.buy(ada, purchase())
    return lambda: world.cancel(order.id)


def order_before_its_letter(world: World, ada: Customer) -> Callable[[], Any]:
    order = world.place(ada, purchase())
    world.run(order, until=Step.SEND_CONFIRMATION_EMAIL)
    return lambda: world.run(order)


def order_without_its_letter(world: World, ada: Customer) -> Callable[[], Any]:
    order = world.place(ada, purchase())
    world.mailbox.fail("relay_denied", recipient=ada.email)
    with pytest.raises(Misconfigured):
        world.run(order)

    def end() -> None:
        world.mailbox.heal()
        with world.begin() as session:
            at = Step.SEND_CONFIRMATION_EMAIL
            resumption.resume(session, order, resumption.Resumption(at, at, without=LetterKind.CONFIRMATION), by="ops")
        world.run(order)

    return end


def parked_order(world: World, ada: Customer) -> Callable[[], Any]:
    order = world.place(ada, purchase())
    world.park(order)

    def cancel() -> None:
        world.cancel(order)
        world.run(order)

    return cancel


def disputed_order(world: World, ada: Customer) -> Callable[[], Any]:
    charge = world.charge_ref(world.buy(ada, purchase()).id)
    happens(world, charge, "needs_response")
    return lambda: happens(world, charge, "lost")


def open_case(world: World, ada: Customer) -> Callable[[], Any]:
    world.buy(ada, purchase())
    world.refused(ada, change(tier="basic"))
    return lambda: close_case(world)


@pytest.mark.parametrize(
    ("need", "says"),
    [
        (seated, "a seat of desk at Customer 1: the upstream takes it away by POST /v1/subscriptions/{subscription}/seats/unassign"),
        (open_order, "order {order} is open: let it end, or end it by `prorata orders cancel {order}`"),
        (waiting_order, "order {order} is payment_declined: let it end, or end it by `prorata orders cancel {order}`"),
        (order_before_its_letter, "order {order} is open: let it end"),
        (
            order_without_its_letter,
            "order {order} is needs_attention: let it end, or end it by `prorata orders resume {order}`, with --without-letters if its letter cannot be sent",
        ),
        (
            parked_order,
            "order {order} is needs_attention: let it end, or end it by `prorata orders resume {order}` or `prorata orders cancel {order}`",
        ),
        (
            disputed_order,
            "the bank has not decided yet about a charge of order {order} (dispute {dispute}), and who ordered is evidence: answer it or accept it in the provider's "
            "dashboard (one that was prevented is closed once refunds have returned what is disputed). Once its end is noted (also by `prorata orders note-disputes {order}`) this ends by itself: docs/disputes.md, A disputed charge",
        ),
        (open_case, 'support case {case} is open: `prorata cases close {case} --why "..."`'),
    ],
)  # fmt: skip
def test_what_it_is_needed_for_is_said_with_what_ends_it(
    world: World, need: Callable[[World, Customer], Callable[[], Any]], says: str
) -> None:
    ada = world.customer()
    end = need(world, ada)
    before = everything(world)
    for attempt in (erase, lambda _: erasure.preview(ada.email)):
        with pytest.raises(NotErasable) as refused:
            attempt(ada)
        names = {
            "order": world.rows(Order)[0].number,
            "dispute": next((row.facts["dispute"] for row in world.rows(OrderEvent, kind="charge.disputed")), None),
            "case": next((case.number for case in world.rows(SupportCase)), None),
            "subscription": next((row.subscription_id for row in world.rows(SeatAssignment)), None),
        }
        assert str(refused.value).splitlines() == [
            "Nothing was erased, because this person's data is still needed for:",
            says.format(**names),
        ]
    assert everything(world) == before
    end()
    assert erase(ada).erasure_id is not None
    assert tables_that_name(world, ada.email) == set()


def test_everything_that_it_is_needed_for_is_said_at_once(world: World) -> None:
    ada = world.customer()
    for need in (seated, open_case):
        need(world, ada)
        world.pass_time(days=40)
    world.place(ada, purchase("chat"))
    with pytest.raises(NotErasable) as refused:
        erase(ada)
    kinds = [line.split()[0] for line in str(refused.value).splitlines()[1:]]
    assert kinds == ["a", "order", "support"]


def test_as_long_as_a_letter_about_vat_may_be_due_nothing_is_erased(world: World) -> None:
    eva, order = during_outage(world)
    world.vies.register(NUMBER, status="invalid")
    with pytest.raises(NotErasable, match=f"order {order.number} awaits the VAT registry's answer: it is asked"):
        erase(eva)
    world.mailbox.fail("relay_denied", recipient=eva.email)
    ask_again(world)
    ends_it = f"`prorata orders send-letter {order.number} --kind vat_correction` sends it at once"
    with pytest.raises(NotErasable, match=ends_it):
        erase(eva)
    world.mailbox.heal()
    letters_again.send_again(order.id, LetterKind.VAT_CORRECTION, by="ops", why=None)
    assert erase(eva).erasure_id is not None


def test_a_letter_about_vat_that_was_given_up_is_not_in_the_way_of_erasing(world: World) -> None:
    eva, _ = during_outage(world)
    world.vies.register(NUMBER, status="invalid")
    world.mailbox.fail("relay_denied", recipient=eva.email)
    for _ in range(unsent_letters.TRIES):
        ask_again(world, minutes=1500)
    assert erase(eva).erasure_id is not None


def test_an_order_that_is_being_placed_is_waited_for(world: World) -> None:
    ada = world.customer()
    quote = world.quote(ada, purchase())
    with ThreadPoolExecutor(1) as pool, world.begin() as session:
        placement.place(
            session,
            quote_id=quote.id,
            account_id=ada.account_id,
            idempotency_key="once",
            api_key_id=None,
            now=world.time,
        )
        erasing = pool.submit(erase, ada)
        until_it_waits_for(session, erasing)
        assert not erasing.done()
        session.commit()
        with pytest.raises(NotErasable, match="is open: let it end"):
            erasing.result(timeout=240)


def test_two_at_once_are_one_erasure(world: World, left: Customer) -> None:
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: erase(left), range(4)))
    assert len([each for each in done if each.erasure_id]) == 1
    assert len(world.rows(Erasure)) == 1


@contextmanager
def while_read(world: World, what: str, do: Callable[[], object]) -> Iterator[None]:
    """Do it before the block's first statement in which these words stand."""

    to_do = [do]

    def look(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if re.search(what, statement, re.DOTALL) and to_do:
            to_do.pop()()

    engine = world.transactions.engine
    event.listen(engine, "before_cursor_execute", look)
    yield
    event.remove(engine, "before_cursor_execute", look)
    assert not to_do


def while_notifications_are_read(world: World, do: Callable[[], object]) -> AbstractContextManager[None]:
    """That takes the longest."""
    return while_read(world, "FROM webhooks_received", do)


def test_a_seat_that_is_given_just_before_it_would_be_erased_refuses_the_erasure(world: World, left: Customer) -> None:
    bea = world.customer()
    world.buy(bea, purchase())
    with (
        while_read(world, "FROM seat_assignments.*FOR UPDATE", lambda: world.assign(bea, "desk", left.email)),
        pytest.raises(NotErasable, match="a seat of desk at Customer 2"),
    ):
        erase(left)
    assert {row.user_email for row in world.rows(SeatAssignment, unassigned_at=None)} == {
        "mia@customer.example",
        left.email,
    }
    assert world.rows(Erasure) == []


def test_others_may_work_on_the_account_while_its_notifications_are_read(world: World, left: Customer) -> None:
    def lock() -> None:
        with world.begin() as session:
            session.execute(select(Account.id).where(Account.id == left.account_id).with_for_update(nowait=True))
            session.execute(select(Contact.id).where(Contact.id == left.contact_id).with_for_update(nowait=True))

    with while_notifications_are_read(world, lock):
        assert erase(left).erasure_id


def test_what_comes_in_between_is_erased_too_and_what_it_is_needed_for_is_said(world: World) -> None:
    ada, eve = world.customer(), world.customer()
    with while_notifications_are_read(world, lambda: rejected_naming(world, ada)):
        assert len(erase(ada).rows["reasons"]) == 1
    assert tables_that_name(world, ada.email) == set()
    with (
        while_notifications_are_read(world, lambda: world.place(eve, purchase())),
        pytest.raises(NotErasable, match="is open: let it end"),
    ):
        erase(eve)


def test_a_person_is_found_by_indexes_among_any_number_of_orders(world: World, left: Customer) -> None:
    bob = world.customer()
    world.buy(bob, purchase())
    copy_completed_orders(world, bob)
    with Plans(
        world, "contacts", "seat_assignments", "subscriptions", "orders", "quotes", "sent_letters", "invoices"
    ) as plans:
        assert erase(left).erasure_id
    plan = "\n".join(plans.noted)
    assert "Seq Scan" not in plan, plan
    used = set(re.findall(r"(?:Scan(?: Backward)? using|Index Scan on) (ix_\w+)", plan))
    assert used >= {"ix_contacts_email", "ix_seat_assignments_user_email", "ix_orders_account", "ix_quotes_account_id"}
    assert "ix_orders_naming_somebody" in used, plan


def test_of_a_large_account_no_other_accounts_timelines_are_read(world: World) -> None:
    ada, bob = world.customer(), world.customer()
    for each in (ada, bob):
        world.buy(each, purchase())
        copy_completed_orders(world, each)
    timelines = text("""
        insert into order_events (order_id, at, kind, facts)
        select orders.id, created_at, 'order.placed', '{}' from orders, generate_series(1, 5)
    """)
    with world.begin() as session:
        session.execute(timelines)
        session.execute(text("analyze order_events"))
        of = person(session, ada.email)
        asked = finding.orders(of).compile(session.get_bind(), compile_kwargs={"literal_binds": True})
        plan = "\n".join(session.connection().exec_driver_sql(f"explain {asked}").scalars())
    assert "Seq Scan on order_events" not in plan, plan
    assert re.search(r"ix_order_events_order_id.*\n *Index Cond: \(order_id = orders\.id\)", plan), plan


# Afterwards


def test_nobody_orders_in_the_name_of_an_erased_contact(world: World) -> None:
    ada = world.customer()
    quote = world.quote(ada, purchase())
    erase(ada)
    with pytest.raises(placement.RequestRefused) as refused:
        world.place_quote(ada, quote.id)
    assert refused.value.code == "quote-expired"
    [refusal] = world.refused(ada, purchase())
    assert (refusal.code, refusal.facts) == ("not-a-billing-contact", {"billing_contacts": []})


def test_an_order_that_slipped_in_is_rejected_and_nobody_is_written_to(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    with world.begin() as session:
        session.execute(
            update(Contact)
            .where(Contact.id == ada.contact_id)
            .values(erased_at=world.time, email="x@erased.invalid", is_billing_contact=False)
        )
    order = world.run(order_id)
    assert (order.status, order.reason) == (OrderStatus.REJECTED, "not-a-billing-contact")
    assert world.rows(SentLetter) == []


def test_an_order_sent_again_is_answered_as_the_first_time(world: World) -> None:
    ada = world.customer()
    quote = world.quote(ada, purchase())
    order_id = world.place_quote(ada, quote.id, key="once")
    world.run(order_id)
    erase(ada)
    assert world.place_quote(ada, quote.id, key="once") == order_id


def test_a_later_refund_writes_to_nobody_and_repeats_the_invoice(world: World) -> None:
    ada = world.customer()
    order = world.buy(ada, purchase())
    erase(ada)
    with world.begin() as session:
        support_refund.refund(session, order.id, by="bob", why="agreed", now=world.time)
    assert world.run(order.id).status is OrderStatus.REFUNDED
    assert world.given_back(ada) == [119_00]
    [notice] = world.rows(SentLetter, kind=LetterKind.REFUND_NOTICE)
    assert notice.status is LetterStatus.UNDELIVERABLE
    assert world.mailbox.listed("to:erased.invalid") == []
    assert len(world.mails(ada)) == 2, "those from before"
    invoice, credit_note = documents(world, order.id)
    assert credit_note.buyer == invoice.buyer
    assert nothing_differs(world)


# What is held


def held(world: World, email: str) -> dict[str, list[dict[str, Any]]]:
    with world.begin() as session:
        return {name: list(rows) for name, rows in holdings.told(session, email)}


def test_everything_that_is_held_is_told(world: World, left: Customer) -> None:
    told = held(world, left.email)
    assert {name: len(rows) for name, rows in told.items()} == {
        "contacts": 1, "seats": 1, "support_cases": 1, "reasons": 1,
        "accounts": 1, "payment_methods": 1, "orders": 1, "charges": 1, "invoices": 1, "vat_checks": 0, "quotes": 1, "letters": 2, "webhooks": 0,
    }  # fmt: skip
    assert told["contacts"] == [
        {
            "id": left.contact_id,
            "account_id": left.account_id,
            "name": NAME,
            "email": left.email,
            "is_billing_contact": True,
            "account": "Customer 1",
        }
    ]
    [seat], [reason], [invoice] = told["seats"], told["reasons"], told["invoices"]
    assert (seat["user_email"], seat["product_code"], seat["account_id"]) == (left.email, "desk", left.account_id)
    assert reason["named_as"] == [f"{NAME} <{left.email}>"]
    assert (invoice["buyer"]["contact"], invoice["total_minor"]) == (NAME, 119_00)
    assert invoice["card"] == "Visa •••• 4242"
    assert f"<{left.email}>" in told["support_cases"][0]["text"]


def test_why_a_charge_was_declined_is_told(world: World) -> None:
    ada = world.customer(card="pm_card_chargeCustomerFail")
    order = world.buy(ada, purchase())
    [charge] = held(world, ada.email)["charges"]
    assert (charge["order"], charge["status"], charge["amount_minor"]) == (order.number, "declined", 119_00)
    assert charge["decline_code"] == world.rows(ChargeAttempt)[0].decline_code == "generic_decline"


def test_of_anothers_case_that_mentions_the_person_only_that_is_told(world: World, left: Customer) -> None:
    chiara = world.customer(name="Alpina")
    world.buy(chiara, purchase())
    world.refused(chiara, change(tier="basic"))
    [case] = [each for each in world.rows(SupportCase) if each.account_id == chiara.account_id]
    with world.begin() as session:
        why = f"Agreed with '{left.email}' (their agency); told bernd@nordwind.example"
        support_desk.close(session, case.number, by="bob", why=why)
    [mention] = [each for each in held(world, left.email)["support_cases"] if each["number"] == case.number]
    assert {name: value for name, value in mention.items() if value is not None} == {
        "number": case.number,
        "created_at": case.created_at,
        "asked_at": case.asked_at,
        "closed_at": world.time,
        "named_as": [left.email],
    }


def test_why_a_case_was_closed_is_told_without_the_addresses_of_others(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase())
    world.refused(ada, change(tier="basic"))
    [case] = world.rows(SupportCase)
    with world.begin() as session:
        support_desk.close(session, case.number, by="bob", why=f"{ada.email} and bernd@nordwind.example agreed")
    [told] = held(world, ada.email)["support_cases"]
    assert (told["text"], told["closed_why"]) == (case.text, f"{ada.email} and (another address) agreed")


def test_nobody_else_is_told_of(world: World, left: Customer) -> None:
    told = json.dumps(held(world, left.email), default=str)
    assert "mia@" not in told
    assert "bob@" not in told


STORED = {
    "plain": b'{"receipt_email": "ada@x.example"}',
    "capitals": b'{"a": [{"b": "to ADA@X.Example."}]}',
    "letters": '{"email": "jürgen@x.example"}'.encode(),
    "escaped": b'{"email": "j\\u00FCrgen@x.example"}',
    "other letters": "ask JÜRGEN@x.example".encode(),
    "no JSON": b"ada@x.example \xff\x00",
    "longer": b'{"email": "bada@x.example", "other": "ada@x.example.org"}',
    "pattern": b'{"email": "ada@xyexample", "other": "ad_@x.example"}',
}


def test_a_stored_notification_is_told_if_the_address_stands_in_it_and_stays(world: World) -> None:
    with world.begin() as session:
        rows = [{"id": name, "type": "charge.refunded", "payload": payload} for name, payload in STORED.items()]
        session.execute(insert(WebhookReceived), rows)
    for email, expected in (
        ("ada@x.example", {"plain", "capitals", "no JSON"}),
        ("jürgen@x.example", {"letters", "escaped", "other letters"}),
        ("a%@x.example", set()),
    ):
        assert {each["id"] for each in held(world, email)["webhooks"]} == expected
        done = erase(email)
        assert (done.stays["webhooks"], done.erasure_id) == (len(expected), None)
    assert {row.id: row.payload for row in world.rows(WebhookReceived)} == STORED


def test_a_notification_is_told_without_the_addresses_of_others(world: World) -> None:
    changed = {"object": {"email": "ada@x.example"}, "previous_attributes": {"email": "Bob <bob@x.example>"}}
    payload = json.dumps({"data": changed}).encode()
    with world.begin() as session:
        session.add(WebhookReceived(id="evt_1", type="customer.updated", payload=payload))
    [told] = held(world, "ada@x.example")["webhooks"]
    assert told["payload"]["data"] == {
        "object": {"email": "ada@x.example"},
        "previous_attributes": {"email": "Bob <(another address)>"},
    }


def test_the_registrys_answer_is_told(world: World) -> None:
    eva = world.customer(country="AT", vat_number="ATU13585627")
    world.vies.register("ATU13585627", status="valid", name="Eva Berger", address="Wien")
    world.buy(eva, purchase())
    [check] = held(world, eva.email)["vat_checks"]
    assert (check["account_id"], check["registered_name"]) == (eva.account_id, "Eva Berger")


def test_quotes_end_only_when_something_is_erased(world: World) -> None:
    ada = world.customer()
    quote = world.quote(ada, purchase())
    world.place(ada, purchase("chat"))
    with pytest.raises(NotErasable):
        erase(ada)
    assert world.rows(Quote, id=quote.id)[0].expires_at == quote.expires_at


@pytest.fixture
def handed_on(world: World) -> tuple[Customer, UUID]:
    """Who placed an order that another contact goes on with."""
    ada = world.customer(card=None)
    order_id = world.place(ada, purchase("desk", "team", 10))
    world.run(order_id)
    bob = add_contact(world, ada, "bob@customer.example")
    world.give_card(ada)
    with world.begin() as session:
        placement.pay_again(session, order_id=order_id, contact_id=bob)
    return ada, order_id


def test_who_placed_an_order_is_told_of_it_though_another_contact_goes_on_with_it(
    world: World, handed_on: tuple[Customer, UUID]
) -> None:
    ada, order_id = handed_on
    world.run(order_id)
    with world.begin() as session:
        told = {name: list(rows) for name, rows in holdings.told(session, ada.email)}
    assert [row["id"] for row in told["orders"]] == [order_id]
    assert (told["invoices"], told["letters"]) == ([], []), "which name the other one"


def test_who_placed_an_order_is_not_erased_while_another_contact_goes_on_with_it(
    world: World, handed_on: tuple[Customer, UUID]
) -> None:
    ada, order_id = handed_on
    with pytest.raises(NotErasable, match=rf"order {world.order(order_id).number} is open"):
        erase(ada)
    world.run(order_id)
    erase(ada)
    assert ada.email not in tables_that_name(world, ada.email)


def test_an_erasure_waits_for_the_order_that_the_person_goes_on_with(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = world.customer(card=None)
    order_id = world.place(ada, purchase("desk", "team", 10))
    world.run(order_id)
    bob = add_contact(world, ada, "bob@customer.example")
    stored = payment_details.store(ada.account_id, "pm_card_visa")
    may, erasing = who_orders.require, list[Future[Erased]]()
    with ThreadPoolExecutor(1) as pool, world.begin() as session:

        def and_then_they_are_erased(*asked: Any) -> None:
            may(*asked)
            erasing.append(pool.submit(erase, "bob@customer.example"))
            until_it_waits_for(session, erasing[0])

        monkeypatch.setattr(who_orders, "require", and_then_they_are_erased)
        placement.pay_again(session, order_id=order_id, token="pm_card_visa", stored=stored, contact_id=bob)
        session.commit()
        with pytest.raises(NotErasable, match="is open: let it end"):
            erasing[0].result(timeout=240)
