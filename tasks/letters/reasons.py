"""Why an order ended or waits, by the code kept with it: one sentence each."""

from typing import Final

from tasks.letters.wording import Wording, mark

_REFUNDED: Final = {
    "activation-failed": mark("We could not activate your subscription, so we have undone the order."),
    "cancelled-by-customer": mark("It was cancelled at your request."),
}
_UNDONE: Final = mark("It could not be completed, so we have undone it.")


def why_refunded(w: Wording, reason: str | None) -> str:
    return w.say(_REFUNDED.get(reason or "", _UNDONE))
