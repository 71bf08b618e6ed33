"""Faults of the world outside: Stripe, the mail server, VIES."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from worker.drill.faults.kind import Fault, Strike

LONGER_THAN_WE_WAIT = 10.0
"""seconds; we give Stripe 8"""
CALLS = 4
LETTERS = 2
"""how often an answer to a letter is lost: after the third to the same letter a person must decide"""


def _stripe(kind: str, **details: Any) -> Fault:
    async def strike(on: Strike) -> int:
        operation = on.luck.choice(("payment_intents.*", "*"))
        await on.aside(on.ground.stripe, "faults", kind=kind, operation=operation, times=CALLS, **details)
        return CALLS

    return Fault(f"Stripe: {kind.replace('_', ' ')}", strike)


async def _webhooks_twice(on: Strike) -> int:
    """From now on, late ones too."""
    await on.aside(on.ground.stripe, "webhook", copies=2, delay=1.0)
    return 1


def _mail(kind: str, *, times: int = CALLS) -> Fault:
    async def strike(on: Strike) -> int:
        await on.aside(on.ground.mailbox_fault, kind, times=times)
        return times

    return Fault(f"SMTP: {kind.replace('_', ' ')}", strike)


async def _mail_server_down(on: Strike) -> int:
    async with on.turn("mailbox"):
        await on.aside(on.ground.mailbox_fault, "down")
        await asyncio.sleep(min(on.lasting, 10.0))
        await on.aside(on.ground.heal_mailbox)
    return 1


def _vies(kind: str, **details: Any) -> Callable[[Strike], Awaitable[int]]:
    async def strike(on: Strike) -> int:
        await on.aside(on.ground.vies_fault, kind, times=CALLS, **details)
        return CALLS

    return strike


OUTSIDE = (
    _stripe("rate_limit", retry_after=1),
    _stripe("unavailable"),
    _stripe("connection_reset"),
    _stripe("server_error"),
    _stripe("server_error_after_effect"),
    _stripe("server_error_half_way"),
    _stripe("answer_lost"),
    _stripe("hang", seconds=LONGER_THAN_WE_WAIT),
    _stripe("hang_half_way", seconds=LONGER_THAN_WE_WAIT),
    Fault("Stripe: webhooks twice and late", _webhooks_twice),
    _mail("drop_before_storing", times=LETTERS),
    _mail("drop_after_data", times=LETTERS),
    _mail("greylisted"),
    Fault("SMTP: down", _mail_server_down),
    Fault("VIES: unavailable", _vies("MS_UNAVAILABLE")),
    Fault("VIES: hangs", _vies("hang", seconds=LONGER_THAN_WE_WAIT)),
)
