"""What production refuses to start with: each check names settings that belong to development, and what each must be instead.

All of it before any invoice, letter or charge bears such a value; see "Before production" in docs/deploying.md.
"""

from collections.abc import Iterator
from urllib.parse import parse_qs, unquote, urlsplit

from models.rules import vat_number
from models.rules.vat_rates import STATES
from tasks.policy import VatOutage
from worker import certificates, example_seller, server_urls
from worker.settings import BrokerSettings, DatabaseSettings, ServerSettings, Settings

Unfit = Iterator[tuple[str, str]]
"""a setting's name, and what it must be in production"""

_YOURS = "in production must be yours, not the example"
_FOR_DEVELOPMENT = ("development", "whsec_development")
"""the defaults in docker-compose.yml: publicly known"""
_SHORTEST_SECRET = 16
"""characters"""


def unfit(chosen: Settings) -> Unfit:
    """Every setting that production must not have as it is."""
    for check in (_example, _seller, _addresses, _stripe, _stand_ins, unfit_servers, _mail):
        yield from check(chosen)


def unfit_servers(chosen: ServerSettings) -> Unfit:
    yield from unfit_database(chosen)
    yield from unfit_broker(chosen)


def unfit_database(chosen: DatabaseSettings) -> Unfit:
    yield from _password("database_url", chosen.database_url.get_secret_value())


def unfit_broker(chosen: BrokerSettings) -> Unfit:
    url = chosen.broker_url.get_secret_value()
    yield from _password("broker_url", url)
    if server_urls.lets_anybody_in(url):
        yield "broker_url", "in production must have a password, unless Redis is on this machine"
    if certificates.checks_nothing(url):
        yield (
            "broker_url",
            "in production must not switch the certificate check off; name its authority with ssl_ca_certs",
        )
    yield from _flower(chosen)


def _example(chosen: Settings) -> Unfit:
    for name in ("seller_name", "seller_address", "mail_from", "support_email"):
        if getattr(chosen, name).strip() == type(chosen).model_fields[name].default:
            yield name, _YOURS


def _seller(chosen: Settings) -> Unfit:
    if why := _why_not_its_number(chosen.seller_vat_number or "", chosen.seller_country):
        yield "seller_vat_number", why
    account = (chosen.seller_bank_account or "").strip()
    if _without_blanks(example_seller.IBAN) in _without_blanks(account):
        yield "seller_bank_account", _YOURS
    if not account and (asking := list(_asks_for_transfers(chosen))):
        yield (
            "seller_bank_account",
            f"in production must be given where {' or '.join(asking)}: invoices say where to pay",
        )
    if "seller_country" not in chosen.model_fields_set:
        yield "seller_country", "in production must be given"


def _why_not_its_number(number: str, country: str) -> str | None:
    """None of a seller outside the Union: its number may be of another kind, and no rule of ours knows it."""
    if country not in STATES:
        return None
    if vat_number.is_blank(number):
        return "in production must be given by a seller in the Union: every invoice names it (Directive 2006/112/EC, article 226)"
    match vat_number.normalized(number, country=country):
        case None:
            return (
                f"in production must be a VAT number of {country} (PRORATA_SELLER_COUNTRY) with the right check digits"
            )
        case example_seller.VAT_NUMBER:
            return _YOURS
    return None


def _without_blanks(text: str) -> str:
    return "".join(text.split())


def _asks_for_transfers(chosen: Settings) -> Iterator[str]:
    """The settings under which customers pay by transfer: on a VAT number, or after one accepted provisionally turns out invalid."""
    if chosen.invoice_on_vat:
        yield "PRORATA_INVOICE_ON_VAT is on"
    if chosen.vat_outage is VatOutage.PROVISIONAL:
        yield "PRORATA_VAT_OUTAGE is provisional"


def _addresses(chosen: Settings) -> Unfit:
    for name in ("public_url", "corporate_portal_url"):
        if (getattr(chosen, name).host or "").endswith("prorata.example"):
            yield name, _YOURS
        elif getattr(chosen, name).scheme != "https":
            yield name, "in production must start with https://"


def _stripe(chosen: Settings) -> Unfit:
    if chosen.stripe_api_key.get_secret_value().startswith(("sk_test_", "rk_test_")):
        yield "stripe_api_key", "in production must not be a test key: nothing would be paid"
    if _is_known_or_short(chosen.stripe_webhook_secret.get_secret_value()):
        yield (
            "stripe_webhook_secret",
            "in production must be the endpoint's own, as Stripe shows it: it tells Stripe's events from forged ones",
        )


def _stand_ins(chosen: Settings) -> Unfit:
    for name in ("stripe_api_base", "vies_base_url"):
        address = getattr(chosen, name)
        if (
            address is not None
            and address.scheme != "https"
            and not server_urls.is_this_machine((address.host or "").strip("[]"))
        ):
            yield name, "in production must start with https://, or be empty for the real service"


def _password(name: str, url: str) -> Unfit:
    address = urlsplit(url)
    given = filter(None, [unquote(address.password or ""), *parse_qs(address.query).get("password", [])])
    elsewhere = server_urls.leaves_this_machine(url)
    if any(_is_known_or_short(each) if elsewhere else each in _FOR_DEVELOPMENT for each in given):
        yield (
            name,
            f"in production must have a password of its own, of at least {_SHORTEST_SECRET} characters unless the server is on this machine",
        )


def _flower(chosen: BrokerSettings) -> Unfit:
    if chosen.flower_login is not None:
        _, _, password = chosen.flower_login.get_secret_value().partition(":")
        if _is_known_or_short(password):
            yield (
                "flower_login",
                f"in production must have a password of its own, of at least {_SHORTEST_SECRET} characters",
            )


def _mail(chosen: Settings) -> Unfit:
    if chosen.smtp_tls.value == "none" and not server_urls.is_this_machine(chosen.smtp_host):
        yield "smtp_tls", "in production must be starttls or tls, unless the mail server is on this machine"


def _is_known_or_short(secret: str) -> bool:
    return secret in _FOR_DEVELOPMENT or len(secret) < _SHORTEST_SECRET
