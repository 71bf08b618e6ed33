"""How long a delivery may take at most. One that takes longer hangs: its order's lease is no longer renewed (`tasks.running.leases`), and its worker is ended (`watchdog`)."""

from tasks.mail import marking
from worker.adapters import smtp, stripe, vies
from worker.settings import Settings


def longest_delivery(chosen: Settings) -> float:
    """Seconds that one delivery may take: all of an order's steps in this process, each answer as late as `chosen` lets it be.

    Counted generously: ten calls of Stripe, two of VIES, three letters, each with its tries and with the wait to mark it, and a minute
    and a half for our own work and the pauses between tries. A run of VAT follow-ups or of late charges takes less: after its minute,
    one question and one letter, or the calls about one charge. (Several runs may be at work; each is a delivery of its own.)
    """
    stripe_call = stripe.PATIENCE + stripe.CONNECT_TIMEOUT + chosen.stripe_timeout_seconds
    vies_call = vies.TOTAL_TIMEOUT + chosen.vies_timeout_seconds
    letter = smtp.longest_letter(chosen.smtp_timeout_seconds) + marking.PATIENCE
    return 10 * stripe_call + 2 * vies_call + 3 * letter + 90.0
