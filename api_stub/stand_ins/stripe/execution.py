"""One request as a transaction."""

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from api_stub.stand_ins.stripe import idempotency
from api_stub.stand_ins.stripe.errors import Answer, ApiError
from api_stub.stand_ins.stripe.faults import Fault, Kind
from api_stub.stand_ins.stripe.ledger import Ledger
from api_stub.stand_ins.stripe.operations import Call, Operation


@dataclass(frozen=True)
class Work:
    """The kept answer, or the effect together with the answer that is kept for it."""

    operation: Operation
    path: str
    scope: str
    key: str | None
    params: dict[str, Any]
    identifier: str
    base_url: str
    request_id: str
    fault: Fault | None
    begun: str | None = None
    """the id of what `begin` has made"""

    def begin(self, ledger: Ledger) -> "Work":
        """What others see before a bank has answered. A refusal is left for `run` to meet again."""
        if self.operation.begin is None:
            return self
        try:
            with ledger.savepoint("beginning"):
                return replace(self, begun=self.operation.begin(self._call(ledger))["id"])
        except ApiError:
            return self

    def recall(self, ledger: Ledger) -> Answer | None:
        return idempotency.recall(ledger, self.scope, self.key or "", self.path, self.params)

    def recall_or_run(self, ledger: Ledger) -> Answer:
        return self.recall(ledger) or self.run(ledger)

    def run(self, ledger: Ledger) -> Answer:
        answer, executed = self._effect(ledger)
        if self.key is not None and executed:
            idempotency.keep(ledger, self.scope, self.key, self.path, self.params, answer, self.request_id)
        return answer

    def happen_late(self, ledger: Ledger) -> None:
        """The effect alone, long after its request was answered. A refusal is reported to nobody."""
        with suppress(ApiError), ledger.savepoint("effect"):
            self.operation.run(self._call(ledger))

    def _effect(self, ledger: Ledger) -> tuple[Answer, bool]:
        if self.fault is not None and self.fault.kind in _WITHOUT_EFFECT:
            if self.fault.kind is Kind.SERVER_ERROR_HALF_WAY:
                self.begin(ledger)
            return _WITHOUT_EFFECT[self.fault.kind], True
        try:
            with ledger.savepoint("effect"):
                result = self.operation.run(self._call(ledger))
        except ApiError as error:
            return error.answer, error.executed
        if self.fault is not None and self.fault.kind is Kind.SERVER_ERROR_AFTER_EFFECT:
            return SERVER_ERROR, True
        return (result if isinstance(result, Answer) else Answer(200, result)), True

    def _call(self, ledger: Ledger) -> Call:
        return Call(ledger, self.params, self.identifier, self.key, self.base_url, self.begun)


# As Stripe mostly sends it: asking again with the same key would only replay this answer.
_OOPS = ApiError(500, "api_error", "Something went wrong on Stripe's end.", headers={"Stripe-Should-Retry": "false"})
SERVER_ERROR = _OOPS.answer
_DEPENDENCY = ApiError(
    424, "api_error", "The request couldn't be completed due to a failure in a dependency external to Stripe."
)

_WITHOUT_EFFECT = {
    Kind.SERVER_ERROR: SERVER_ERROR,
    Kind.SERVER_ERROR_BEFORE_EFFECT: SERVER_ERROR,
    Kind.SERVER_ERROR_HALF_WAY: SERVER_ERROR,
    Kind.DEPENDENCY_FAILED: _DEPENDENCY.answer,
}
