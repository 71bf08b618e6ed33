"""Loading an accounts file again: what changed is changed and named, what is history is left alone and named."""

from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from models.accounts import Account, AccountKind, Contact, Language, PaymentMethod
from models.orders import Order
from models.rules.vat import BuyerType
from tasks.personal_data import erasure
from tests.support.world import World
from worker.loading import accounts_file, accounts_loading
from worker.loading.accounts_file import account_id
from worker.loading.accounts_loading import LoadedAccounts
from worker.loading.readable_file import FileRefused, Problem

FILE = """\
accounts:
  nordwind:
    name: Nordwind GmbH
    country: DE
    currency: EUR
    language: de
    timezone: Europe/Berlin
    payment_method: pm_card_visa
    contacts:
      - {name: Anna, email: anna@nordwind.example, billing_contact: true}
      - {name: Bernd, email: bernd@nordwind.example}
    subscriptions:
      - {product: desk, tier: team, seats: 10, interval: month, bought: 1 day ago}
  suedwind:
    name: Südwind GmbH
    country: DE
    currency: EUR
    language: de
    timezone: Europe/Berlin
    balance: '19.00'
    contacts:
      - {name: Carla, email: carla@suedwind.example, billing_contact: true}
"""


def load(tmp_path: Path, *changes: tuple[str, str]) -> LoadedAccounts:
    text = FILE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file = tmp_path / "accounts.yaml"
    file.write_text(text)
    return accounts_loading.load(accounts_file.read(file))


def test_the_same_file_again_changes_nothing_and_says_nothing(world: World, tmp_path: Path) -> None:
    assert load(tmp_path).new == ["nordwind", "suedwind"]
    again = load(tmp_path)
    assert (again.known, again.changed, again.left_alone, again.orders) == (["nordwind", "suedwind"], [], [], {})


def test_facts_that_differ_are_taken_over_and_the_account_is_named(world: World, tmp_path: Path) -> None:
    load(tmp_path)
    again = load(tmp_path, ("Nordwind GmbH", "Nordwind AG"), ("name: Bernd", "name: Berta"))
    assert (again.changed, again.left_alone) == (["nordwind"], [])
    with world.begin() as session:
        assert session.get_one(Account, account_id("nordwind")).name == "Nordwind AG"
        names = select(Contact.name).where(Contact.account_id == account_id("nordwind")).order_by(Contact.name)
        assert list(session.scalars(names)) == ["Anna", "Berta"]


def test_what_the_file_leaves_out_stays_as_the_customer_has_set_it(world: World, tmp_path: Path) -> None:
    file = [("    language: de\n    timezone: Europe/Berlin\n", "")]
    load(tmp_path, *file)
    chosen = {
        "kind": AccountKind.CORPORATE,
        "buyer_type": BuyerType.CONSUMER,
        "language": Language.FR,
        "timezone": "Europe/Paris",
        "postcode": "75001",
        "address": "1 rue de Rivoli, 75001 Paris",
        "vat_number": "FR40303265045",
    }
    with world.begin() as session:
        session.execute(update(Account).where(Account.id == account_id("nordwind")).values(chosen))
        session.execute(update(Contact).where(Contact.name == "Bernd").values(is_billing_contact=True))
    assert load(tmp_path, *file).changed == []
    assert load(tmp_path, *file, ("name: Bernd", "name: Berta")).changed == ["nordwind"]
    with world.begin() as session:
        account = session.get_one(Account, account_id("nordwind"))
        assert {name: getattr(account, name) for name in chosen} == chosen
        assert session.scalars(select(Contact.is_billing_contact).where(Contact.name == "Berta")).all() == [True]


def test_a_new_account_has_what_is_usual_where_the_file_says_nothing(world: World, tmp_path: Path) -> None:
    load(tmp_path, ("    language: de\n    timezone: Europe/Berlin\n", ""))
    with world.begin() as session:
        made = session.get_one(Account, account_id("nordwind"))
        assert (made.kind, made.buyer_type, made.language) == (
            AccountKind.SELF_SERVE,
            BuyerType.BUSINESS,
            Language.EN,
        )
        assert (made.timezone, made.postcode, made.address, made.vat_number) == ("UTC", None, "", None)
        assert session.scalars(select(Contact.is_billing_contact).where(Contact.name == "Bernd")).all() == [False]


def test_who_has_no_address_is_known_until_the_file_gives_it_or_somebody_has_set_it(
    world: World, tmp_path: Path
) -> None:
    assert load(tmp_path).without_address == ["nordwind", "suedwind"]
    given = ("name: Nordwind GmbH\n", "name: Nordwind GmbH\n    address: Am Sandtorkai 1, 20457 Hamburg\n")
    assert load(tmp_path, given).without_address == ["suedwind"]
    with world.begin() as session:
        values = {"address": "Hafenstraße 2, 20457 Hamburg"}
        session.execute(update(Account).where(Account.id == account_id("suedwind")).values(values))
    assert load(tmp_path).without_address == []


@pytest.mark.parametrize("name", ["株式会社サクラ", "Südwind 🎉", "דרום בע״מ", "رياح", "رياح GmbH"])
def test_a_name_that_an_invoice_cannot_print_is_said(world: World, tmp_path: Path, name: str) -> None:
    assert load(tmp_path, ("Südwind GmbH", name)).not_printable == [f"suedwind: {name}"]


@pytest.mark.parametrize("name", ["Ελλάς & Żółć ΑΕ", "Юг Ёлкина", "Løkke “Ğış” Ltd", "Đỗ Thị Ánh"])
def test_a_name_in_another_script_that_an_invoice_prints_is_not_said(world: World, tmp_path: Path, name: str) -> None:
    assert load(tmp_path, ("Südwind GmbH", name), ("name: Carla", f"name: {name}")).not_printable == []


def test_an_address_and_a_persons_name_are_printed_too(world: World, tmp_path: Path) -> None:
    address = ("name: Südwind GmbH\n", "name: Südwind GmbH\n    address: |-\n      1-2-3 丸の内\n      Tokyo\n")
    loaded = load(tmp_path, address, ("name: Carla", "name: 花子"))
    assert loaded.not_printable == ["suedwind: 1-2-3 丸の内\nTokyo", "suedwind: 花子"]


@pytest.mark.parametrize(
    ("place", "other"),
    [
        ("country: DE\n    currency: USD", True),
        ("country: AT\n    currency: USD", True),
        ("country: SE\n    currency: EUR", True),
        ("country: SE\n    currency: SEK", False),
        ("country: BG\n    currency: EUR", False),
        ("country: US\n    currency: USD", False),  # no VAT is charged
        ("country: ES\n    postcode: '35001'\n    currency: USD", False),
        ("country: AT\n    vat_number: ATU13585627\n    currency: USD", False),
    ],
)
def test_who_pays_vat_in_another_currency_than_that_of_its_state_is_known(
    world: World, tmp_path: Path, place: str, other: bool
) -> None:
    loaded = load(
        tmp_path,
        ("Nordwind GmbH\n    country: DE\n    currency: EUR", f"Nordwind GmbH\n    {place}"),
        (
            "\n    subscriptions:\n      - {product: desk, tier: team, seats: 10, interval: month, bought: 1 day ago}",
            "",
        ),
    )
    assert loaded.in_another_currency == (["nordwind"] if other else [])


def test_everybody_in_the_sample_has_an_address() -> None:
    sample = accounts_file.read(Path(__file__).parents[2] / "api_stub" / "sample" / "accounts.yaml")
    assert [account.code for account in sample.accounts if not account.columns.get("address")] == []


def test_who_orders_no_more_is_said(world: World, tmp_path: Path) -> None:
    load(tmp_path)
    assert load(tmp_path, ("billing_contact: true", "billing_contact: false")).changed == ["nordwind", "suedwind"]
    assert [contact.is_billing_contact for contact in world.rows(Contact, account_id=account_id("nordwind"))] == [
        False,
        False,
    ]


def test_what_no_loading_changes_is_left_alone_and_said(world: World, tmp_path: Path) -> None:
    load(tmp_path)
    again = load(
        tmp_path,
        ("'19.00'", "'25.00'"),
        ("seats: 10", "seats: 12"),
        ("      - {name: Bernd, email: bernd@nordwind.example}\n", ""),
    )
    assert again.left_alone == [
        "nordwind: contact bernd@nordwind.example, whom the file does not name",
        "nordwind: its subscription to desk, which only an order changes",
        "suedwind: the balance it was granted",
    ]
    assert (again.changed, again.orders) == ([], {})


def test_what_was_loaded_before_something_stood_in_the_way_is_said(world: World, tmp_path: Path) -> None:
    with pytest.raises(FileRefused) as refused:
        load(tmp_path, ("tier: team, seats: 10", "tier: nope, seats: 10"))
    line, rest = str(refused.value).split("\n")
    assert "accounts.nordwind.subscriptions: cannot be ordered as of 20" in line
    assert rest.startswith("Loaded all the same: the accounts, their contacts, balances and payment methods.")
    assert len(world.rows(Account, id=account_id("nordwind"))) == 1


@pytest.mark.parametrize(
    ("token", "why"),
    [
        (
            "pm_nobody_knows",
            "the payment provider knows none of this name; was it made in the account, and in the mode (test or live), of PRORATA_STRIPE_API_KEY?",
        ),
        ("pm_card_chargeDeclinedInsufficientFunds", "the payment provider refuses it (insufficient_funds)"),
    ],
)
def test_a_card_that_the_provider_refuses_is_named_in_its_line_and_in_plain_words(
    world: World, tmp_path: Path, token: str, why: str
) -> None:
    with pytest.raises(FileRefused) as refused:
        load(tmp_path, ("pm_card_visa", token))
    assert refused.value.problems == [Problem(8, f"accounts.nordwind.payment_method: {why}")]


def test_an_address_that_the_provider_refuses_stands_in_nobodys_way(world: World, tmp_path: Path) -> None:
    loaded = load(tmp_path, ("anna@nordwind.example", "änna@nordwind.example"))
    assert (loaded.new, list(loaded.orders)) == (["nordwind", "suedwind"], ["nordwind"])
    cards = world.rows(PaymentMethod, account_id=account_id("nordwind"))
    assert [(card.last4, card.status) for card in cards] == [("4242", "usable")]


def test_before_there_is_anything_to_have_nobody_is_loaded(world: World, tmp_path: Path) -> None:
    with world.begin() as session:
        session.execute(text("TRUNCATE catalogue_versions CASCADE"))
    with pytest.raises(FileRefused, match="prorata catalogue load FILE first; no account was loaded"):
        load(tmp_path)
    assert world.rows(Account, id=account_id("nordwind")) == []


def test_who_has_nothing_yet_is_loaded_without_a_catalogue(world: World, tmp_path: Path) -> None:
    with world.begin() as session:
        session.execute(text("TRUNCATE catalogue_versions CASCADE"))
    had = FILE[FILE.index("    subscriptions:") : FILE.index("  suedwind:")]
    assert load(tmp_path, (had, "")).new == ["nordwind", "suedwind"]


def erase_bernd() -> None:
    erasure.erase("bernd@nordwind.example", by="bob", why="asked on 3 May")


def contacts(world: World) -> list[tuple[str, str]]:
    rows = world.rows(Contact, account_id=account_id("nordwind"))
    return sorted((row.name, row.email.partition("@")[2]) for row in rows)


def test_a_file_that_names_a_contact_who_was_erased_is_refused(world: World, tmp_path: Path) -> None:
    load(tmp_path)
    erase_bernd()
    before = contacts(world)
    with pytest.raises(FileRefused) as refused:
        load(tmp_path, ("Südwind GmbH", "Südwind AG"))
    assert "accounts.nordwind.contacts: bernd@nordwind.example was erased on 2026-11-01" in str(refused.value)
    assert contacts(world) == before == [("(erased)", "erased.invalid"), ("Anna", "nordwind.example")]
    with world.begin() as session:
        assert session.get_one(Account, account_id("suedwind")).name == "Südwind GmbH"


def test_a_file_without_erased_contacts_is_loaded_and_says_nothing_of_them(world: World, tmp_path: Path) -> None:
    load(tmp_path)
    erase_bernd()
    again = load(tmp_path, ("      - {name: Bernd, email: bernd@nordwind.example}\n", ""))
    assert (again.changed, again.left_alone) == ([], [])


def test_an_erased_contact_who_came_back_may_be_named_again(world: World, tmp_path: Path) -> None:
    load(tmp_path)
    erase_bernd()
    with world.begin() as session:
        session.add(Contact(account_id=account_id("nordwind"), name="B.", email="bernd@nordwind.example"))
    assert load(tmp_path).changed == ["nordwind"]
    assert ("Bernd", "nordwind.example") in contacts(world)


def test_a_contact_whom_the_upstream_added_can_order_what_the_file_lists(world: World, tmp_path: Path) -> None:
    anna = "{name: Anna, email: anna@nordwind.example, billing_contact: true}"
    load(tmp_path, (anna, anna.replace("Anna", "Zoe").replace("anna", "zoe")))
    for order in world.rows(Order):
        world.run(order.id)
    with world.begin() as session:
        added = Contact(account_id=account_id("nordwind"), name="Anna", email="anna@nordwind.example")
        added.is_billing_contact = True
        session.add(added)
        session.flush()
        contact = added.id
    bought = "bought: 1 day ago}\n"
    load(tmp_path, (bought, f"{bought}      - {{product: chat, tier: team, seats: 3, interval: month, {bought}"))
    assert [order.contact_id for order in world.rows(Order)][-1] == contact
