"""What a customer reads when a cart is refused."""

import re
from typing import Any

import pytest

from models.accounts import Language
from models.rules.refusals import Refusal, RefusalCode
from tasks.letters.refusal_texts import refusal_text
from tests.letters.orders import NAMES, SELLER

FACTS: dict[RefusalCode, dict[str, Any]] = {
    RefusalCode.NOT_A_BILLING_CONTACT: {"billing_contacts": ["Ada Muster <ada@x.example>", "Bo <bo@x.example>"]},
    RefusalCode.TOO_MANY_LINES: {"most": 50},
    RefusalCode.UNKNOWN_TIER: {"tier": "gold", "tiers": ["basic", "team", "business"]},
    RefusalCode.NOT_FOR_SALE: {"product": "desk", "tier": "team", "interval": "year", "intervals": ["month"]},
    RefusalCode.SEATS_OUT_OF_RANGE: {"seats": None, "most": 1_000_000},
    RefusalCode.LOWER_TIER: {"product": "desk", "from_tier": "business", "to_tier": "team"},
    RefusalCode.SEATS_BELOW_ASSIGNED: {
        "seats": 2,
        "must_unassign": 1,
        "most_recent": ["c@x.example"],
    },
    RefusalCode.VAT_NUMBER_INVALID: {"country": "ES"},
}


def text(code: RefusalCode, language: Language = Language.EN, **facts: Any) -> str:
    given = facts or FACTS.get(code, {"product": "desk"})
    return refusal_text(Refusal(code, 0, given), language=language, seller=SELLER, names=NAMES)


@pytest.mark.parametrize("code", RefusalCode)
def test_every_refusal_has_words_in_every_language(code: RefusalCode) -> None:
    said = {language: text(code, language) for language in Language}
    assert len(set(said.values())) == len(Language)
    assert not [each for each in said.values() if re.search(r"%\(|\bNone\b|\[\]", each)]


@pytest.mark.parametrize("code", RefusalCode)
def test_every_refusal_ends_as_a_sentence_so_that_another_can_follow(code: RefusalCode) -> None:
    assert {text(code, language)[-1] for language in Language} == {"."}


@pytest.mark.parametrize("language", Language)
def test_someone_else_learns_who_may_order(language: Language) -> None:
    said = text(RefusalCode.NOT_A_BILLING_CONTACT, language)
    assert "Ada Muster <ada@x.example>" in said
    assert "Bo <bo@x.example>" in said


def test_an_account_without_billing_contacts_is_sent_to_support() -> None:
    assert "support@prorata.example" in text(RefusalCode.NOT_A_BILLING_CONTACT, billing_contacts=[])


@pytest.mark.parametrize("language", Language)
def test_who_has_the_whole_payment_back_is_not_told_that_a_change_may_be_possible_later(language: Language) -> None:
    whole, part, unknown = (
        text(RefusalCode.PAYMENT_REFUNDED, language, product="desk", **known)
        for known in ({"remains_paid_minor": 0}, {"remains_paid_minor": 1}, {})
    )
    assert whole != part == unknown
    assert all("support@prorata.example" in each for each in (whole, part))


@pytest.mark.parametrize("language", Language)
def test_corporate_accounts_learn_the_portals_address(language: Language) -> None:
    assert SELLER.corporate_portal_url in text(RefusalCode.CORPORATE_ACCOUNT, language)


@pytest.mark.parametrize("language", Language)
def test_a_lower_tier_is_named_and_support_is_on_it(language: Language) -> None:
    said = text(RefusalCode.LOWER_TIER, language)
    assert all(name in said for name in ("Desk", "Business", "Team", "support@prorata.example"))


def test_too_few_seats_say_whom_to_unassign() -> None:
    assert text(RefusalCode.SEATS_BELOW_ASSIGNED) == (
        "You have assigned more users than you are asking for seats (2). Please unassign 1 user first; the most recently"
        " assigned is c@x.example."
    )
    assert text(
        RefusalCode.SEATS_BELOW_ASSIGNED, seats=1, must_unassign=2, most_recent=["c@x.example", "b@x.example"]
    ).endswith("unassign 2 users first; the most recently assigned are c@x.example and b@x.example.")


@pytest.mark.parametrize("kept", [10, 1012], ids=["as many as are named", "all, as orders once did"])
def test_of_many_users_only_the_first_are_named(kept: int) -> None:
    users = [f"u{n}@x.example" for n in range(1, kept + 1)]
    said = text(RefusalCode.SEATS_BELOW_ASSIGNED, Language.DE, seats=1, must_unassign=1012, most_recent=users)
    assert said.endswith("u9@x.example, u10@x.example und 1.002 weitere Personen.")
    assert "u11@x.example" not in said


def test_an_unknown_tier_names_the_ones_there_are() -> None:
    assert (
        text(RefusalCode.UNKNOWN_TIER) == "There is no plan called gold. Please choose from: basic, Team or Business."
    )
    assert text(RefusalCode.UNKNOWN_TIER, tier=None, tiers=["team"]) == "Please choose a plan: Team."
    choice = text(RefusalCode.UNKNOWN_TIER, Language.DE, tier=None, tiers=["team", "business"])
    assert choice == "Bitte wählen Sie einen Tarif: Team oder Business."


NO_TIER_LEFT = {
    Language.EN: "Desk is not for sale in your currency.",
    Language.ES: "Desk no está a la venta en su moneda.",
    Language.DE: "Desk wird in Ihrer Währung nicht verkauft.",
    Language.FR: "Desk n’est pas en vente dans votre devise.",
    Language.IT: "Desk non è in vendita nella Sua valuta.",
}


@pytest.mark.parametrize("tier", ["gold", None])
@pytest.mark.parametrize("language", Language)
def test_where_no_tier_is_left_to_choose_the_product_is_said_not_to_be_for_sale(
    language: Language, tier: str | None
) -> None:
    said = text(RefusalCode.UNKNOWN_TIER, language, product="desk", tier=tier, tiers=[])
    assert said == NO_TIER_LEFT.get(language), (
        f"the sentence for {language} is missing in, or differs from, NO_TIER_LEFT"
    )


@pytest.mark.parametrize(("product", "basic"), [("desk", "Basic"), ("wiki", "Starter")])
def test_a_tier_is_called_as_its_product_calls_it(product: str, basic: str) -> None:
    assert text(RefusalCode.UNKNOWN_TIER, product=product, tier=None, tiers=["basic", "team"]) == (
        f"Please choose a plan: {basic} or Team."
    )
    assert text(RefusalCode.NOT_FOR_SALE, Language.DE, product=product, tier="basic", intervals=[]) == (
        f"{product.capitalize()} {basic} wird nicht mehr oder nicht in Ihrer Währung verkauft."
        " Bitte wählen Sie einen anderen Tarif."
    )


@pytest.mark.parametrize("language", Language)
def test_what_is_not_for_sale_at_all_differs_from_what_is_sold_for_another_interval(language: Language) -> None:
    facts: list[dict[str, Any]] = [{"intervals": ["month"]}, {"intervals": ["year"]}, {"intervals": []}, {}]
    monthly, annually, no_longer, unknown = (
        text(RefusalCode.NOT_FOR_SALE, language, product="desk", tier="team", **each) for each in facts
    )
    assert len({monthly, annually, no_longer}) == 3
    assert unknown == no_longer  # of an order rejected before the intervals were kept
    assert all(each.startswith("Desk Team ") for each in (monthly, annually, no_longer))


def test_who_is_refused_a_plan_learns_what_to_choose() -> None:
    assert text(RefusalCode.NOT_FOR_SALE) == (
        "Desk Team is sold with monthly billing only in your currency. Please choose monthly billing."
    )
    assert text(RefusalCode.NOT_FOR_SALE, Language.IT, product="desk", tier="team", intervals=["year"]) == (
        "Desk Team è in vendita nella Sua valuta solo con fatturazione annuale. Scelga la fatturazione annuale."
    )
    assert text(RefusalCode.NOT_FOR_SALE, tier="business") == (  # of an order rejected before the product was kept
        "Business is no longer for sale, or not in your currency. Please choose another plan."
    )


def test_a_number_is_written_as_the_language_writes_it() -> None:
    assert "1.000.000" in text(RefusalCode.SEATS_OUT_OF_RANGE, Language.DE)
    assert "1,000,000" in text(RefusalCode.SEATS_OUT_OF_RANGE, Language.EN)


def test_the_country_of_a_wrong_vat_number_is_named() -> None:
    assert "Spanien" in text(RefusalCode.VAT_NUMBER_INVALID, Language.DE)
