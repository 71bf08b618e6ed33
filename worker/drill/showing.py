"""A drill's outcome as tables for people and as JSON for machines."""

from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console

from worker.drill.audit import Audit
from worker.drill.cells import rows
from worker.drill.crash import PROMISED, CrashReport, Killed
from worker.drill.faults import FAULTS
from worker.drill.kinds import POINTS
from worker.drill.storm_report import StormReport
from worker.printed_tables import Column, Rows

Show = Callable[[Console], None]
PASSED, FAILED = "[green]✓[/]", "[bold red]✗[/]"


def show_crash(report: CrashReport, console: Console) -> None:
    steps, others = [], []
    for row, points in _rows():
        marks = {point: _mark(report, row, point) for point in points}
        if not marks.keys().isdisjoint(POINTS):
            steps.append((row, *(marks.get(point, "") for point in POINTS)))
        others += [f"{row} {point} {mark}" for point, mark in marks.items() if point not in POINTS]
    title = "Killed with -9, and seconds until the order went on"
    console.print(Rows([Column(heading) for heading in ("step", *POINTS)], steps, title))
    console.print("Elsewhere: " + ", ".join(others))
    for killed in report.killed:
        if wrong := killed.trouble or killed.late:
            console.print(f"{FAILED} {killed.cell.place}, {killed.cell.kind.name}: {wrong}")
    show_audit(report.audit, console)
    slowest = max((killed.went_on_after or 0.0 for killed in report.killed), default=0.0)
    console.print(
        f"{len(report.killed)} kills; after the slowest an order went on within {slowest:.1f} s (promised: {PROMISED:g} s). "
        f"{'Passed' if report.passed else 'FAILED'} in {report.seconds:.0f} s."
    )


def show_audit(audit: Audit, console: Console) -> None:
    statuses = ", ".join(f"{count} {status}" for status, count in sorted(audit.by_status.items()))
    console.print(
        f"Reconciled {audit.orders} orders ({statuses}) with {audit.charges} charges, {audit.refunds} refunds "
        f"and {audit.letters} emails."
    )
    if audit.letters_again:
        console.print(
            f"{audit.letters_again} emails came twice under the same Message-ID: the window that SMTP leaves between the mail "
            "server's yes and our writing it down. Mail programs show such a pair as one."
        )
    for finding in audit.findings[:50]:
        console.print(f"{FAILED} {f'order {finding.order_id}: ' if finding.order_id else ''}{finding.what}")
    if len(audit.findings) > 50:
        console.print(f"... and {len(audit.findings) - 50} more")


def crash_as_json(report: CrashReport) -> dict[str, Any]:
    return {
        "passed": report.passed,
        "seconds": round(report.seconds, 1),
        "promised_seconds": PROMISED,
        "kills": [
            {
                "place": killed.cell.place,
                "kind": killed.cell.kind.name,
                "order_id": str(killed.bought.order_id),
                "ended_as": killed.bought.status,
                "went_on_after_seconds": killed.went_on_after,
                "trouble": killed.trouble,
                "late": killed.late,
            }
            for killed in report.killed
        ],
        "reconciled": audit_as_json(report.audit),
    }


def audit_as_json(audit: Audit) -> dict[str, Any]:
    return {
        "orders": audit.orders,
        "by_status": dict(audit.by_status),
        "charges": audit.charges,
        "refunds": audit.refunds,
        "emails": audit.letters,
        "emails_twice_in_the_smtp_window": audit.letters_again,
        "findings": [
            {"order_id": str(finding.order_id) if finding.order_id else None, "what": finding.what}
            for finding in audit.findings
        ],
    }


def _rows() -> Iterator[tuple[str, list[str]]]:
    grouped: dict[str, list[str]] = {}
    for row, points in rows():
        grouped.setdefault(row, []).extend(points)
    yield from grouped.items()


def _mark(report: CrashReport, row: str, point: str) -> str:
    here = [killed for killed in report.killed if (killed.cell.row, killed.cell.point) == (row, point)]
    if not here:
        return "-"
    return f"{FAILED if any(killed.trouble or killed.late for killed in here) else PASSED} {_seconds(here)}"


def _seconds(killed: list[Killed]) -> str:
    return f"{max(each.went_on_after or 0.0 for each in killed):.1f}"


def show_storm(report: StormReport, console: Console) -> None:
    counted = [(fault.name, str(report.strikes[fault.name]), str(report.hits[fault.name])) for fault in FAULTS]
    columns = (Column("fault"), Column("strikes", right=True), Column("hits", right=True))
    console.print(Rows(columns, counted, f"Storm, seed {report.seed}"))
    for trouble in report.troubles[:50]:
        console.print(f"{FAILED} {trouble}")
    for remark in report.remarks:
        console.print(remark)
    show_audit(report.audit, console)
    again = sum(bought.repeated for bought in report.bought)
    quiet = "never" if report.quiet_after is None else f"{report.quiet_after:.0f} s after it"
    console.print(
        f"{len(report.placed)} orders placed ({again} requests repeated by their customers), {report.strikes.total()} strikes of "
        f"{len(FAULTS)} kinds; quiet {quiet}. {'Passed' if report.passed else 'FAILED'} in {report.seconds:.0f} s. "
        f"Again: {report.command}"
    )


def storm_as_json(report: StormReport) -> dict[str, Any]:
    return {
        "passed": report.passed,
        "seed": report.seed,
        "seconds": round(report.seconds, 1),
        "orders_placed": len(report.placed),
        "requests_repeated": sum(bought.repeated for bought in report.bought),
        "quiet_after_seconds": report.quiet_after,
        "strikes": {fault.name: report.strikes[fault.name] for fault in FAULTS},
        "hits": {fault.name: report.hits[fault.name] for fault in FAULTS},
        "troubles": report.troubles,
        "remarks": report.remarks,
        "reconciled": audit_as_json(report.audit),
    }
