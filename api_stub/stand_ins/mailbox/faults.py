"""What can go wrong in the SMTP dialogue, by name: where, and how."""

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    LISTENING = "listening"
    GREETING = "greeting"
    LOGIN = "login"
    SENDER = "sender"
    RECIPIENT = "recipient"
    BEFORE_STORING = "before storing"
    """the email has come in whole, and is not kept"""
    AFTER_STORING = "after storing"
    """the email is kept, and the answer not given yet: the window in which the sender cannot know"""


class Effect(StrEnum):
    REFUSE = "refuse"
    HANG = "hang"
    DROP = "drop"
    WAIT = "wait"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Kind:
    stage: Stage
    effect: Effect
    code: int = 0
    text: str = ""


KINDS = {
    "down": Kind(Stage.LISTENING, Effect.CLOSE),
    "busy": Kind(Stage.GREETING, Effect.REFUSE, 421, "4.3.2 Service not available, closing"),
    "hang_at_greeting": Kind(Stage.GREETING, Effect.HANG),
    "login_unavailable": Kind(Stage.LOGIN, Effect.REFUSE, 454, "4.7.0 Temporary authentication failure"),
    "sender_refused": Kind(Stage.SENDER, Effect.REFUSE, 550, "5.7.1 Sender not allowed"),
    "greylisted": Kind(Stage.RECIPIENT, Effect.REFUSE, 450, "4.2.0 Greylisted, try again"),
    "mailbox_full": Kind(Stage.RECIPIENT, Effect.REFUSE, 452, "4.2.2 Mailbox full"),
    "address_refused": Kind(Stage.RECIPIENT, Effect.REFUSE, 550, "5.1.1 User unknown"),
    "relay_denied": Kind(Stage.RECIPIENT, Effect.REFUSE, 554, "5.7.1 Relay access denied"),
    "quota_spent": Kind(Stage.RECIPIENT, Effect.REFUSE, 550, "5.4.5 Daily sending quota exceeded"),
    "hang": Kind(Stage.RECIPIENT, Effect.HANG),
    "drop": Kind(Stage.RECIPIENT, Effect.DROP),
    "deferred": Kind(Stage.BEFORE_STORING, Effect.REFUSE, 451, "4.3.0 Try again later"),
    "content_refused": Kind(Stage.BEFORE_STORING, Effect.REFUSE, 554, "5.7.1 Message refused"),
    "quota_spent_later": Kind(Stage.BEFORE_STORING, Effect.REFUSE, 550, "5.4.5 Daily sending quota exceeded"),
    "login_wanted": Kind(Stage.BEFORE_STORING, Effect.REFUSE, 530, "5.7.0 Authentication required"),
    "drop_before_storing": Kind(Stage.BEFORE_STORING, Effect.DROP),
    "drop_after_data": Kind(Stage.AFTER_STORING, Effect.DROP),
    "hang_after_data": Kind(Stage.AFTER_STORING, Effect.HANG),
    "slow": Kind(Stage.AFTER_STORING, Effect.WAIT),
}

BY_STAGE = {stage: frozenset(name for name, kind in KINDS.items() if kind.stage is stage) for stage in Stage}
