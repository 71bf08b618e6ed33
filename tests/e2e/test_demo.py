"""Every sample order of `prorata demo`, through the real stack, ends as its file says; all books agree, and the logs keep quiet.

All are placed when the first test asks, side by side as in the demo; each test then looks at one.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from api_stub import sample
from api_stub.demo import all_orders as demo
from api_stub.demo.all_orders import Prepared, Results
from api_stub.demo.playing import Played
from api_stub.demo.sample_file import SampleOrder, read
from api_stub.demo.world import World
from models.states import FORWARD, OrderStatus
from tests.support.stack import Outside
from worker.loading import accounts_file
from worker.stack import Stack

pytestmark = [pytest.mark.from_outside, pytest.mark.timeout(900)]

SAMPLES = read(sample.ORDERS)


class Silent:
    """Watches, and says nothing."""

    def begins(self, sample: SampleOrder) -> None: ...
    def moves(self, sample: SampleOrder, entry: dict[str, object]) -> None: ...
    def ends(self, played: Played, complaints: object) -> None: ...


@pytest.fixture(scope="module")
def prepared(outside: Outside) -> Prepared:
    return demo.prepare(outside.backstage, outside.addresses)


@pytest.fixture(scope="module")
def results(outside: Outside, prepared: Prepared) -> Results:
    samples = [each for each in SAMPLES if outside.has_clock or not each.quoted]
    return demo.run(prepared, outside.addresses, samples, Silent())


@pytest.mark.parametrize("sample_order", SAMPLES, ids=lambda sample_order: sample_order.name)
def test_a_sample_order_ends_as_its_file_says(results: Results, sample_order: SampleOrder) -> None:
    if sample_order.name not in results.complaints:
        pytest.skip("a quote of long ago cannot be had from outside")
    assert results.complaints[sample_order.name] == []


def test_every_charge_in_the_provider_s_books_belongs_to_one_order_and_amounts_agree(results: Results) -> None:
    assert results.books.differences == ()
    assert results.books.charges > 0


def test_every_letter_that_an_order_tells_of_arrived_once(results: Results) -> None:
    assert results.letters.differences == ()
    assert results.letters.arrived >= results.letters.sent > 0


def test_everything_about_money_works_out_again(results: Results) -> None:
    assert results.ledger == ()


def test_the_sample_covers_five_languages_and_six_currencies(results: Results) -> None:
    accounts = accounts_file.read(sample.ACCOUNTS).accounts
    ordering = [account.columns for account in accounts if account.code in {each.account for each in SAMPLES}]
    assert {str(columns["language"]) for columns in ordering} == {"en", "es", "de", "fr", "it"}
    assert {columns["currency"] for columns in ordering} == {"EUR", "USD", "JPY", "KWD", "GBP", "CHF"}
    assert len(SAMPLES) >= 20


def test_the_order_in_python_that_the_readme_shows_is_completed(
    request: pytest.FixtureRequest, outside: Outside, prepared: Prepared, results: Results
) -> None:
    if "PRORATA_E2E_URL" in os.environ:
        pytest.skip("the database of a stack elsewhere cannot be reached")
    stack: Stack = request.getfixturevalue("stack")
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    [program] = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **stack.variables},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    [(number, amount)] = re.findall(r"order (\d+): (.*)\n", ran.stdout)
    [placed] = [order["id"] for order in prepared.upstream.orders() if order["number"] == int(number)]
    world = World(prepared.upstream, prepared.backstage, vies=outside.addresses.vies)
    world.wait_for(placed, (OrderStatus.COMPLETED,), lambda _: None)
    assert (amount, prepared.upstream.order(placed)["payment"]["charged"]["text"]) == ("3600 USD cents", "US$36.00")


@pytest.fixture(scope="module")
def logs(request: pytest.FixtureRequest, results: Results) -> str:
    """Everything that every process of the stack has logged over the sample orders."""
    if "PRORATA_E2E_URL" in os.environ:
        pytest.skip("the logs of a stack elsewhere cannot be read")
    stack: Stack = request.getfixturevalue("stack")
    return "\n".join(path.read_text(errors="replace") for path in sorted(stack.folder.rglob("*.log")))


def test_the_logs_tell_of_every_step(logs: str) -> None:
    for step in FORWARD:
        assert f'"step": "{step}", "outcome": "done"' in logs


def test_no_address_of_a_customer_is_logged(logs: str) -> None:
    accounts = accounts_file.read(sample.ACCOUNTS).accounts
    addresses = {contact.email for account in accounts for contact in account.contacts}
    assert addresses
    assert [address for address in sorted(addresses) if address in logs] == []


def test_no_secret_is_logged(request: pytest.FixtureRequest, logs: str) -> None:
    stack: Stack = request.getfixturevalue("stack")
    chosen = stack.settings
    secrets = {
        "an API key": "prk_",
        "Stripe's key": chosen.stripe_api_key.get_secret_value(),
        "the webhook secret": chosen.stripe_webhook_secret.get_secret_value(),
        "the database's password": stack.postgres.password,
        "the broker's password": stack.redis.password or "",
        "a client secret": "_secret_",
        "a test card's token": "pm_card_",
    }
    assert [name for name, secret in secrets.items() if not secret or secret in logs] == []


def test_nothing_of_an_email_or_a_card_is_logged(logs: str) -> None:
    assert [words for words in ("Dear ", "Guten Tag", "Content-Type: text/html") if words in logs] == []
    # The number may be a process's, and stand within an order's id, or a time.
    said = re.sub(r"^\d+:[A-Z] |\[\d+\]|\b(?:pid|milliseconds)\W{1,3}\d+", "", logs, flags=re.MULTILINE)
    assert re.findall(r"(?<![\w.-])4242(?![\w-])", said) == []
