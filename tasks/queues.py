"""Which queue a task is sent to. Separate queues, so that steps waiting for a bank or a mail server do not delay database steps."""

from models.states import Step

QUEUES: dict[str, str] = {
    **dict.fromkeys((Step.VALIDATE_CART, Step.COMPUTE_PRORATION, Step.ACTIVATE_SUBSCRIPTION), "orders"),
    **dict.fromkeys((Step.COLLECT_PAYMENT, Step.REFUND_PAYMENT), "payments"),
    **dict.fromkeys(("ask_about_authentication", "handle_webhooks", "late_charges", "vat_follow_up"), "payments"),
    **dict.fromkeys((Step.SEND_CONFIRMATION_EMAIL, Step.PROMPT_SEAT_ASSIGNMENT, Step.SEND_REFUND_NOTICE), "mail"),
    **dict.fromkeys(("relay", "sweep", "housekeeping", "old_quotes"), "upkeep"),
}
"""task name -> queue"""
QUEUE_NAMES = tuple(dict.fromkeys(QUEUES.values()))
STEP_QUEUES = tuple(dict.fromkeys(QUEUES[step] for step in Step))
"""those through which orders go"""
