"""The VAT number before a charge: decides whether to ask the registry about it, and acts on the answer."""

from datetime import timedelta

from sqlalchemy import update
from sqlalchemy.orm import Session

from models import lease, order_cache, timeline
from models.accounts import VatCheck, VatCheckStatus
from models.orders import Order, OrderLine
from models.rules.vat import Treatment
from models.states import Step
from tasks.policy import VatOutage
from tasks.ports import VatAnswer, VatStatus
from tasks.quotes import fresh_quote, quoting
from tasks.running.outcome import Outcome
from tasks.step import wait
from tasks.upstream import payment_details
from tasks.wiring import policy

ASK_AGAIN = timedelta(minutes=5)
"""while policy `hold` waits for the registry"""


def reuse_or_number_to_ask(session: Session, order: Order) -> str | None:
    """The number to ask the registry about now. None if nothing depends on it, or if an earlier valid answer still counts, which is
    then recorded on the order.

    Something depends on the number if it decides the tax (reverse charge), or if the order would be invoiced because of it.
    """
    if order.vat_number is None or order.vat_check_id is not None:
        return None
    if not _decides_tax(session, order) and not _would_be_invoiced(session, order):
        return None
    lately = order.as_of - policy().vat_evidence_lifetime
    known = quoting.evidence(session, order.account_id, order.vat_number, not_before=lately)
    if known is not None and known.status is VatCheckStatus.VALID:
        _rest_on(session, order, known, provisional=False)
        return None
    return order.vat_number


def keep(session: Session, order: Order, answer: VatAnswer) -> VatCheck:
    """Store the registry's answer as evidence, even an outage."""
    check = VatCheck(
        account_id=order.account_id,
        number=answer.number,
        status=VatCheckStatus(answer.status.value),
        asked_at=answer.asked_at,
        consultation_number=answer.consultation_number,
        registered_name=answer.name,
        registered_address=answer.address,
        reason=answer.reason,
    )
    session.add(check)
    session.flush()
    return check


def record(session: Session, order: Order, answer: VatAnswer) -> Outcome | None:
    """Store the answer as evidence and act on it; None: go on and collect. Raises LeaseLost."""
    lease.require_ours(session, order)
    check = keep(session, order, answer)
    timeline.note(session, order.id, f"vat.{answer.status}", {"reason": answer.reason})
    if order.cancel_requested_at is not None:
        return None
    match answer.status:
        case VatStatus.VALID:
            _rest_on(session, order, check, provisional=False)
        case VatStatus.INVALID if _decides_tax(session, order):
            lines = order_cache.lines(session, order)
            return fresh_quote.propose(session, order, lines=lines, differs=["vat_number"])
        case VatStatus.UNAVAILABLE:
            return _during_outage(session, order, check)
    return None


def accepted(order: Order) -> bool:
    """Whether the order has a number that the registry has confirmed, or that policy accepts provisionally."""
    return order.vat_check_id is not None


def _during_outage(session: Session, order: Order, check: VatCheck) -> Outcome | None:
    match policy().vat_outage:
        case VatOutage.PROVISIONAL:
            _rest_on(session, order, check, provisional=True)
            return None
        case VatOutage.CHARGE_VAT if _decides_tax(session, order):
            lines = order_cache.lines(session, order)
            return fresh_quote.propose(session, order, lines=lines, differs=["vat_registry"], vat_set_aside=True)
        case VatOutage.CHARGE_VAT:
            return None
        case VatOutage.HOLD:
            return wait(session, order, Step.COLLECT_PAYMENT, ASK_AGAIN, why="the VAT registry is unavailable")


def _decides_tax(session: Session, order: Order) -> bool:
    return any(line.tax_treatment is Treatment.REVERSE_CHARGE for line in _charged(session, order))


def _would_be_invoiced(session: Session, order: Order) -> bool:
    return (
        policy().invoice_on_vat
        and bool(_charged(session, order))
        and payment_details.usable(session, order.account_id) is None
    )


def _charged(session: Session, order: Order) -> list[OrderLine]:
    """The lines that may cost something: a trial bears no tax, so it waits for no registry."""
    return [line for line in order_cache.lines(session, order) if line.interval is not None]


def _rest_on(session: Session, order: Order, check: VatCheck, *, provisional: bool) -> None:
    order.vat_check_id, order.vat_provisional = check.id, provisional
    values = {"vat_check_id": check.id, "vat_provisional": provisional}
    session.execute(
        update(Order).where(Order.id == order.id).values(**values).execution_options(synchronize_session=False)
    )
