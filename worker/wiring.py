"""Plugs database, adapters and policy into the steps, from the settings: once per process."""

from datetime import timedelta
from functools import cache

from sqlalchemy import Engine

from tasks import wiring
from worker import drill_points
from worker.adapters.mime import Sender
from worker.adapters.smtp import SmtpMailer, longest_letter
from worker.adapters.smtp_dialogue import Server
from worker.adapters.stripe import StripePayments
from worker.adapters.vies import BASE_URL, Vies
from worker.database import Transactions, engine
from worker.environment import settings
from worker.longest_delivery import longest_delivery
from worker.settings import Settings


@cache
def process_engine() -> Engine:
    """The engine that everything in this process shares."""
    return engine(settings())


def plug_in_from_settings() -> None:
    """What every process does before its first step. Raises SettingsError that names what to set."""
    wiring.plug_in(wired(settings(), process_engine()))
    drill_points.arm(settings().drill_folder)


def wired(chosen: Settings, database: Engine) -> wiring.Wiring:
    """The real parts, as `chosen` says."""
    return wiring.Wiring(
        begin=Transactions(database),
        payments=StripePayments(
            api_key=chosen.stripe_api_key.get_secret_value(),
            webhook_secret=chosen.stripe_webhook_secret.get_secret_value(),
            api_base=str(chosen.stripe_api_base) if chosen.stripe_api_base else None,
            orders_page=f"{str(chosen.public_url).rstrip('/')}/orders",
            read_timeout=chosen.stripe_timeout_seconds,
        ),
        vat_registry=Vies(
            base_url=str(chosen.vies_base_url) if chosen.vies_base_url else BASE_URL,
            timeout=chosen.vies_timeout_seconds,
        ),
        mailer=SmtpMailer(
            Server(
                host=chosen.smtp_host,
                port=chosen.smtp_port,
                tls=chosen.smtp_tls.value,
                username=chosen.smtp_username,
                password=chosen.smtp_password.get_secret_value() if chosen.smtp_password else None,
                timeout=chosen.smtp_timeout_seconds,
            ),
            Sender.read(chosen.mail_from, chosen.mail_from_name or chosen.seller_name, reply_to=chosen.mail_reply_to),
        ),
        policy=chosen.policy(),
        longest_letter=timedelta(seconds=longest_letter(chosen.smtp_timeout_seconds)),
        longest_delivery=timedelta(seconds=longest_delivery(chosen)),
    )
