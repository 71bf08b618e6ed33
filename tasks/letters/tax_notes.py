"""What an order has to say about its VAT, in the words that invoices use."""

from collections.abc import Collection, Iterable, Sequence

from models.orders import Order, OrderLine
from models.rules.vat import Treatment
from tasks.letters.wording import Wording


def why_no_vat(w: Wording, treatment: Treatment | None) -> str | None:
    """In a row in place of a rate, so that it does not read as if taxed at a rate of zero; None: VAT is charged, or the reason is not known."""
    match treatment:
        case Treatment.REVERSE_CHARGE:
            return w.say("Reverse charge")
        case Treatment.OUT_OF_SCOPE:
            return w.say("Outside the scope of EU VAT")
    return None


def treatment_notes(
    w: Wording, treatments: Collection[Treatment], *, country: str, credited_in: Iterable[str]
) -> list[str]:
    """Who owes the VAT, and what its treatment rests on, in the words of the directive's language versions.

    country: the buyer's, ISO 3166. credited_in: whose VAT is credited, if that has to be said. Source: Directive 2006/112/EC, articles 44, 58, 196 and 226 (11a).
    """
    notes: list[str] = []
    if Treatment.REVERSE_CHARGE in treatments:
        notes.append(
            w.say("Reverse charge: the recipient is liable for the VAT (Article 196 of Directive 2006/112/EC).")
        )
    if Treatment.OUT_OF_SCOPE in treatments:
        notes.append(
            w.say(
                "Outside the scope of EU VAT: the place of supply lies outside the territory in which EU VAT applies"
                " (Articles 44 and 58 of Directive 2006/112/EC)."
            )
        )
    if Treatment.DESTINATION_RATE in treatments:
        notes.append(w.say("VAT at the rate of the customer's country: %(country)s.", country=w.country(country)))
    if countries := [w.country(code) for code in dict.fromkeys(credited_in)]:
        notes.append(w.say("VAT is credited where it was charged: %(countries)s.", countries=w.listed(countries)))
    return notes


def tax_notes(
    w: Wording, order: Order, lines: Sequence[OrderLine], *, country: str, credited_in: Iterable[str]
) -> tuple[str, ...]:
    """Of what is sold: a trial is not, so an order of trials alone has nothing to say. country, credited_in: as for `treatment_notes`."""
    sold = [line for line in lines if line.interval is not None]
    if not sold:
        return ()
    notes = treatment_notes(w, {line.tax_treatment for line in sold}, country=country, credited_in=credited_in)
    if order.vat_number:
        notes.append(w.say("Your VAT number: %(number)s.", number=order.vat_number))
    if order.vat_provisional:
        notes.append(
            w.say(
                "We could not yet check your VAT number in VIES. We will try again, and write to you if anything"
                " changes."
            )
        )
    if order.vat_set_aside:
        notes.append(
            w.say(
                "VAT is charged because we could not check your VAT number in VIES. Once the number is confirmed, the"
                " VAT is credited to you."
            )
        )
    return tuple(notes)
