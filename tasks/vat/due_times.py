"""How long a follow-up waits: for the registry's next question, or for the next try of a letter that is owed."""

from datetime import timedelta

from tasks.wiring import wired

WAITS = tuple(timedelta(minutes=m) for m in (5, 15, 60, 4 * 60, 12 * 60))
"""before each question after the order's own, and each further try of a letter that is owed; then a day each"""
_DAY = timedelta(days=1)
_OURS = timedelta(minutes=4)
"""for our own work on a letter, and the pauses between the mail server's answers"""


def after_question(tries: int) -> timedelta:
    return WAITS[tries] if tries < len(WAITS) else _DAY


def after_letter(tries: int) -> timedelta:
    return max(after_question(tries), under_way())


def under_way() -> timedelta:
    """How long a letter is left alone while it is sent: longer than a mail server may take to accept it."""
    return wired().longest_letter + _OURS
