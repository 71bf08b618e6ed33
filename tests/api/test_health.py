"""Whether the process answers is told whatever else it does."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from tasks import wiring
from tasks.ports import PaymentProvider
from tests.api.conftest import Api
from tests.support.world import Customer, World

THREADS = 40
"""as many as the framework has"""


@dataclass
class Slow:
    """A provider that does not answer before it may."""

    real: PaymentProvider
    asked: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    may_answer: threading.Event = field(default_factory=threading.Event)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def attach_payment_method(self, **asked: Any) -> Any:
        self.asked.release()
        self.may_answer.wait(timeout=60)
        return self.real.attach_payment_method(**asked)


def test_the_process_says_that_it_is_alive_while_every_thread_waits_for_a_provider(
    live: str, world: World, api: Api, ada: Customer
) -> None:
    payments = Slow(world.wiring.payments)
    wiring.plug_in(replace(world.wiring, payments=payments))
    url, headers = f"{live}/v1/accounts/{ada.account_id}/payment-method", {"Authorization": f"Bearer {api.key}"}

    def put(_: int) -> int:
        return httpx.put(url, headers=headers, json={"token": "pm_card_visa"}, timeout=60).status_code

    with ThreadPoolExecutor(THREADS) as clients:
        answers = clients.map(put, range(THREADS))
        try:
            assert all(payments.asked.acquire(timeout=20) for _ in range(THREADS))
            assert httpx.get(f"{live}/healthz", timeout=5).status_code == 200
        finally:
            payments.may_answer.set()
        assert len(list(answers)) == THREADS
    wiring.plug_in(world.wiring)
