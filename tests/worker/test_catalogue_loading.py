"""A catalogue file becomes one version, whole; the same file again becomes none."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session

from models.catalogue import CatalogueVersion, Price, Product, Tier
from tests.worker.test_catalogue_file import GOOD
from worker.loading import catalogue_file, catalogue_loading
from worker.loading.catalogue_loading import LoadedCatalogue
from worker.loading.readable_file import FileRefused

NOW = datetime(2026, 3, 1, 12, 0, 0, 700_000, tzinfo=UTC)


@pytest.fixture
def session(fresh_database_url: str) -> Iterator[Session]:
    engine = create_engine(fresh_database_url)
    with Session(engine) as session:
        yield session
    engine.dispose()


def load(session: Session, folder: Path, text: str) -> LoadedCatalogue:
    file = folder / "catalogue.yaml"
    file.write_text(text, encoding="utf-8")
    loaded = catalogue_loading.load(session, catalogue_file.read(file), now=NOW)
    session.commit()
    return loaded


def ranks(session: Session) -> dict[str, int]:
    session.expire_all()
    return {tier.code: tier.rank for tier in session.scalars(select(Tier))}


def test_a_file_becomes_a_version_with_all_its_prices(session: Session, tmp_path: Path) -> None:
    loaded = load(session, tmp_path, GOOD)
    assert loaded == LoadedCatalogue(1, datetime(2026, 1, 1, tzinfo=UTC), is_new=True)
    prices = session.execute(select(Price.interval, Price.currency, Price.unit_minor)).all()
    assert sorted(prices) == [
        ("month", "EUR", 1000),
        ("month", "JPY", 1500),
        ("month", "KWD", 3125),
        ("year", "EUR", 10000),
    ]
    assert ranks(session) == {"team": 1, "plus": 2}


def test_the_same_file_twice_does_nothing_and_says_so(session: Session, tmp_path: Path) -> None:
    load(session, tmp_path, GOOD)
    assert load(session, tmp_path, GOOD) == LoadedCatalogue(1, datetime(2026, 1, 1, tzinfo=UTC), is_new=False)
    assert session.scalar(select(func.count()).select_from(CatalogueVersion)) == 1


@pytest.mark.parametrize("again", [False, True])
def test_names_that_no_invoice_can_print_are_named_each_time(session: Session, tmp_path: Path, again: bool) -> None:
    japanese = GOOD.replace("name: Team", "name: かんばん")
    if again:
        load(session, tmp_path, japanese)
    assert load(session, tmp_path, japanese).not_printable == ("board.team: かんばん",)


def test_prices_without_a_day_count_from_the_second_of_loading(session: Session, tmp_path: Path) -> None:
    loaded = load(session, tmp_path, GOOD.partition("\n")[2])
    assert loaded.effective_from == datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def test_prices_that_would_not_count_are_refused_and_nothing_else_of_the_file_counts(
    session: Session, tmp_path: Path
) -> None:
    load(session, tmp_path, GOOD.partition("\n")[2])
    corrected = (
        GOOD.replace("2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z")
        .replace("rank: 2", "rank: 3")
        .replace('"10.00"', '"12.00"')
    )
    with pytest.raises(FileRefused) as refused:
        load(session, tmp_path, corrected)
    session.rollback()
    assert [problem.reason for problem in refused.value.problems] == [
        "effective_from: its prices would not count, those of version 1 do since 2026-03-01 12:00:00 UTC; "
        "give it a later effective_from, or none"
    ]
    assert ranks(session) == {"team": 1, "plus": 2}
    assert load(session, tmp_path, corrected.partition("\n")[2]).version == 2


def test_the_prices_that_count_already_may_be_given_an_earlier_day(session: Session, tmp_path: Path) -> None:
    load(session, tmp_path, GOOD.partition("\n")[2])
    assert load(session, tmp_path, GOOD) == LoadedCatalogue(2, datetime(2026, 1, 1, tzinfo=UTC), is_new=True)


@pytest.mark.parametrize(
    ("loaded", "then"),
    [
        pytest.param("2026-02-01T00:00:00Z", "2026-02-01T00:00:00Z", id="from the same instant"),
        pytest.param("2026-03-02T00:00:00Z", "2026-02-01T00:00:00Z", id="until one that is to come"),
        pytest.param("2026-02-01T00:00:00Z", "2026-03-02T00:00:00Z", id="later"),
    ],
)
def test_prices_that_count_some_time_are_loaded(session: Session, tmp_path: Path, loaded: str, then: str) -> None:
    load(session, tmp_path, GOOD.replace("2026-01-01T00:00:00Z", loaded))
    corrected = GOOD.replace('"10.00"', '"12.00"').replace("2026-01-01T00:00:00Z", then)
    assert load(session, tmp_path, corrected).version == 2


def test_two_tiers_may_swap_their_ranks(session: Session, tmp_path: Path) -> None:
    load(session, tmp_path, GOOD)
    swapped = GOOD.replace("rank: 1", "rank: 9").replace("rank: 2", "rank: 1").replace("rank: 9", "rank: 2")
    assert load(session, tmp_path, swapped).version == 2
    assert ranks(session) == {"team": 2, "plus": 1}


def test_a_rank_of_a_tier_left_out_is_not_given_to_another_and_nothing_is_half_loaded(
    session: Session, tmp_path: Path
) -> None:
    load(session, tmp_path, GOOD)
    renamed = GOOD.replace("plus:", "max:").replace('"10.00"', '"11.00"')
    with pytest.raises(FileRefused) as refused:
        load(session, tmp_path, renamed)
    session.rollback()
    assert [problem.line for problem in refused.value.problems] == [13]
    assert "rank 2 is that of plus" in str(refused.value)
    assert session.scalar(select(func.count()).select_from(CatalogueVersion)) == 1
    assert ranks(session) == {"team": 1, "plus": 2}


def test_a_product_left_out_has_no_trial_any_more(session: Session, tmp_path: Path) -> None:
    load(session, tmp_path, GOOD)
    load(session, tmp_path, GOOD.replace("board:", "docs:"))
    trials = {product.code: product.trial_days for product in session.scalars(select(Product))}
    assert trials == {"board": None, "docs": 14}


@pytest.mark.parametrize("had_a_day", [True, False])
def test_an_older_catalogue_is_loaded_again_under_another_day_as_often_as_wanted(
    session: Session, tmp_path: Path, had_a_day: bool
) -> None:
    """A file that is loaded again by mistake, say with the deployment of an earlier release, brings no old prices back."""
    undated = GOOD.partition("\n")[2]
    older = GOOD if had_a_day else undated
    load(session, tmp_path, older)
    for day in ("2026-03-01T12:00:00Z", "2026-03-01T12:00:01Z"):
        load(session, tmp_path, undated.replace('"10.00"', f'"12.{day[-3:-1]}"'))
        with pytest.raises(FileRefused) as refused:
            load(session, tmp_path, older)
        session.rollback()
        assert [problem.reason for problem in refused.value.problems] == [
            "is the same as version 1, and newer ones were loaded since; to go back to it, give it "
            f"{'another' if had_a_day else 'an'} effective_from, such as 2026-03-01T12:00:00Z, which is now"
        ]
        assert load(session, tmp_path, f"effective_from: {day}\n{undated}").is_new
