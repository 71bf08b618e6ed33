"""A catalogue file becomes the next version of the catalogue, in the caller's transaction: all of it, or nothing.

Prices are versioned and count from the version's `effective_from`; names, ranks and trial lengths have no history and change at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from models.catalogue import CatalogueVersion, Price, Product, Tier
from tasks.invoices.printable import can_be_printed
from worker.loading.catalogue_file import Catalogue
from worker.loading.readable_file import FileRefused, Problem

_OUT_OF_THE_WAY = 2_000_000
"""added to every rank before the new ones are set: tiers may swap ranks, though no two may ever share one"""


@dataclass(frozen=True, slots=True)
class LoadedCatalogue:
    version: int
    effective_from: datetime
    is_new: bool
    """False where this very catalogue is the newest already: nothing was done"""
    not_printable: tuple[str, ...] = ()
    """names of products and tiers that the PDF of an invoice cannot print, with their codes"""


def load(session: Session, catalogue: Catalogue, *, now: datetime) -> LoadedCatalogue:
    """Raises FileRefused where it contradicts what was loaded before."""
    session.execute(text("LOCK TABLE catalogue_versions IN SHARE ROW EXCLUSIVE MODE"))
    newest = session.scalar(select(CatalogueVersion).order_by(CatalogueVersion.id.desc()).limit(1))
    same = session.scalar(select(CatalogueVersion).where(CatalogueVersion.checksum == catalogue.checksum))
    if same is not None and same is newest:
        return LoadedCatalogue(same.id, same.effective_from, False, tuple(_not_printable(catalogue)))
    present = now.astimezone(UTC).replace(microsecond=0)
    if same is not None:  # an older deployment's file, loaded again by mistake, must not bring its prices back
        day = "another" if catalogue.effective_from else "an"
        raise _refused(
            catalogue,
            1,
            f"is the same as version {same.id}, and newer ones were loaded since; to go back to it, give it {day} effective_from, "
            f"such as {present:%Y-%m-%dT%H:%M:%SZ}, which is now",
        )
    effective_from = catalogue.effective_from or present
    _refuse_prices_that_would_not_count(session, catalogue, effective_from, now)
    version = CatalogueVersion(effective_from=effective_from, checksum=catalogue.checksum)
    session.add(version)
    session.flush()
    _write_products(session, catalogue)
    _write_tiers(session, catalogue)
    _write_prices(session, catalogue, version.id)
    return LoadedCatalogue(version.id, version.effective_from, True, tuple(_not_printable(catalogue)))


def _not_printable(catalogue: Catalogue) -> Iterator[str]:
    for product in catalogue.products:
        if not can_be_printed(product.name):
            yield f"{product.code}: {product.name}"
        for tier in product.tiers:
            if not can_be_printed(tier.name):
                yield f"{product.code}.{tier.code}: {tier.name}"


def _refuse_prices_that_would_not_count(
    session: Session, catalogue: Catalogue, effective_from: datetime, now: datetime
) -> None:
    """Of the versions in effect, the one with the latest `effective_from` counts, whichever was loaded last.

    Prices that count already may be loaded with an earlier `effective_from`: orders with effect from then get them, too.
    """
    in_force = session.scalar(
        select(CatalogueVersion)
        .where(CatalogueVersion.effective_from <= now)
        .order_by(CatalogueVersion.effective_from.desc(), CatalogueVersion.id.desc())
        .limit(1)
    )
    if in_force is None or effective_from >= in_force.effective_from:
        return
    columns = (Price.product_code, Price.tier_code, Price.interval, Price.currency, Price.unit_minor)
    counting = session.execute(select(*columns).where(Price.version_id == in_force.id))
    if {tuple(price) for price in counting} != set(_prices(catalogue)):
        since = f"{in_force.effective_from.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
        raise _refused(
            catalogue,
            1,
            f"effective_from: its prices would not count, those of version {in_force.id} do since {since} UTC; "
            "give it a later effective_from, or none",
        )


def _write_products(session: Session, catalogue: Catalogue) -> None:
    """A product that is no longer listed stays for those who have it; nobody new can try it, or buy it, as it has no price."""
    listed = [product.code for product in catalogue.products]
    session.execute(update(Product).where(Product.code.not_in(listed)).values(trial_days=None))
    for product in catalogue.products:
        row = {"name": product.name, "trial_days": product.trial_days}
        statement = upsert(Product).values(code=product.code, **row)
        session.execute(statement.on_conflict_do_update(index_elements=["code"], set_=row))


def _write_tiers(session: Session, catalogue: Catalogue) -> None:
    for product in catalogue.products:
        listed = [tier.code for tier in product.tiers]
        unlisted = select(Tier).where(Tier.product_code == product.code, Tier.code.not_in(listed))
        kept = {tier.rank: tier.code for tier in session.scalars(unlisted)}
        if clash := next((tier for tier in product.tiers if tier.rank in kept), None):
            raise _refused(
                catalogue,
                clash.line,
                f"products.{product.code}.tiers.{clash.code}: rank {clash.rank} is that of {kept[clash.rank]}, which this file "
                "leaves out but subscriptions may be on; list it too, with `prices: {}`",
            )
        same_product = Tier.product_code == product.code
        session.execute(
            update(Tier).where(same_product, Tier.code.in_(listed)).values(rank=Tier.rank + _OUT_OF_THE_WAY)
        )
        for tier in product.tiers:
            row = {"name": tier.name, "rank": tier.rank}
            statement = upsert(Tier).values(product_code=product.code, code=tier.code, **row)
            session.execute(statement.on_conflict_do_update(index_elements=["product_code", "code"], set_=row))


def _write_prices(session: Session, catalogue: Catalogue, version: int) -> None:
    rows = [
        {
            "version_id": version,
            "product_code": product,
            "tier_code": tier,
            "interval": interval,
            "currency": currency,
            "unit_minor": unit_minor,
        }
        for product, tier, interval, currency, unit_minor in _prices(catalogue)
    ]
    if rows:
        session.execute(insert(Price), rows)


def _prices(catalogue: Catalogue) -> Iterator[tuple[str, str, str, str, int]]:
    """Product, tier, interval, currency, and the unit price in minor units."""
    for product in catalogue.products:
        for tier in product.tiers:
            for interval, by_currency in tier.prices.items():
                for currency, unit_minor in by_currency.items():
                    yield product.code, tier.code, interval, currency, unit_minor


def _refused(catalogue: Catalogue, line: int, reason: str) -> FileRefused:
    return FileRefused(catalogue.file, [Problem(line, reason)])
