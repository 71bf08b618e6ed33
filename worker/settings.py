"""Every setting, read once at start from the environment (prefix PRORATA_); nobody else reads the environment."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final, Literal, TypeVar

from limits import parse
from pydantic import (
    AnyHttpUrl,
    EmailStr,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.rules.proration import Granularity
from models.rules.vat_rates import HOME, STATES
from tasks.plain_text import looks_encoded
from tasks.policy import Policy, Seller, VatOutage
from worker import certificates, production, server_urls
from worker.adapters.mime import MailAddress


class SettingsError(Exception):
    """A setting is missing or wrong; the message names each variable and what is wrong with it."""


class SmtpTls(StrEnum):
    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


class _EverySettings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="PRORATA_", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    environment: Literal["development", "test", "production"] = "development"

    @field_validator(
        "database_url", "broker_url", "stripe_api_key", "stripe_webhook_secret", "smtp_host", check_fields=False
    )
    @classmethod
    def _is_one_word(cls, value: str | SecretStr) -> str | SecretStr:
        if any(sign.isspace() or not sign.isprintable() for sign in _plain(value)):
            raise ValueError(f"contains whitespace or a control character, {_PERHAPS}")
        return value

    @field_validator("smtp_username", "smtp_password", "flower_login", check_fields=False)
    @classmethod
    def _is_one_line(cls, value: str | SecretStr | None) -> str | SecretStr | None:
        if value is not None and not _plain(value).isprintable():
            raise ValueError(f"contains a line break or a control character, {_PERHAPS}")
        return value


class DatabaseSettings(_EverySettings):
    """Where PostgreSQL is: all that `prorata db` needs."""

    database_url: SecretStr
    """postgresql+psycopg://user:password@host/database, with TLS ?sslmode=verify-full&sslrootcert=FILE"""
    database_pool_size: int = Field(8, ge=2, le=200)

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith("postgresql+psycopg://"):
            raise ValueError("must start with postgresql+psycopg:// (PostgreSQL is the only database)")
        server_urls.check_database(value.get_secret_value())
        return value


class BrokerSettings(_EverySettings):
    """Where Redis is, and who may look at what passes through it: all that Flower needs."""

    broker_url: SecretStr
    """redis:// or, with TLS, rediss:// with password and database number; the certificate is checked"""
    sweep_seconds: float = Field(2.0, gt=0, le=30)
    flower_login: SecretStr | None = None
    """user:password of the Flower of docker-compose.yml, which reads it itself; here it is only checked"""

    @field_validator("broker_url")
    @classmethod
    def _is_redis(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("redis://", "rediss://")):
            raise ValueError("must start with redis:// or rediss://")
        server_urls.check_broker(value.get_secret_value())
        return SecretStr(certificates.checked(value.get_secret_value()))

    @field_validator("flower_login")
    @classmethod
    def _is_one_login(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch("[^:,]+:[^,]+", value.get_secret_value()):
            raise ValueError("must be user:password, without a comma: Flower takes what follows one as a second login")
        return value


class ServerSettings(BrokerSettings, DatabaseSettings):
    """Both: all that beat needs."""


class Settings(ServerSettings):
    """Names, defaults and meaning of the PRORATA_* variables. Where there is no default, the variable must be set."""

    stripe_api_key: SecretStr
    stripe_webhook_secret: SecretStr
    stripe_api_base: AnyHttpUrl | None = None
    """None is Stripe itself"""
    stripe_timeout_seconds: float = Field(8.0, gt=0, le=45)
    vies_base_url: AnyHttpUrl | None = None
    """None is the European Commission's service"""
    vies_timeout_seconds: float = Field(5.0, gt=0, le=60)
    smtp_host: str
    smtp_port: int = Field(587, ge=1, le=65535)
    smtp_tls: SmtpTls = SmtpTls.STARTTLS
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_timeout_seconds: float = Field(10.0, gt=0, le=120)
    mail_from: EmailStr = "billing@prorata.example"
    mail_from_name: str | None = None
    """who letters come from, beside the address; None is the seller"""
    mail_reply_to: EmailStr | None = None
    """where answers to letters go; None is mail_from"""

    seller_name: str = "Prorata GmbH"
    seller_country: str = "DE"
    seller_address: str = "Musterstraße 1, 10115 Berlin"
    seller_vat_number: str | None = None
    """ours: invoices in the Union must name it, and the VAT registry gives receipts (consultation numbers) only with it"""
    seller_bank_account: str | None = Field(None, max_length=200)
    """where customers pay invoices to, as invoices show it: bank, IBAN, BIC"""
    seller_legal_notice: str | None = Field(None, max_length=1000)
    """at the foot of invoices, as it is: what our law wants there of a company, such as its register, capital and managers"""
    support_email: EmailStr = "support@prorata.example"
    public_url: AnyHttpUrl = AnyHttpUrl("http://localhost:8000")
    """where customers reach the Billing Center; links in emails start with it"""
    corporate_portal_url: AnyHttpUrl = AnyHttpUrl("https://corporate.prorata.example/billing")

    quote_minutes: int = Field(30, ge=1, le=60 * 24 * 30)
    proration_granularity: Granularity = Granularity.SECOND
    invoice_on_vat: bool = False
    payment_terms_days: int = Field(30, ge=1, le=365)
    vat_outage: VatOutage = VatOutage.PROVISIONAL
    waiting_days: int = Field(7, ge=1, le=365)
    """how long an order waits for its customer before it is cancelled"""
    authentication_minutes: int = Field(60, ge=5, le=60 * 24)
    """the same for a payment that awaits authentication; shorter, as the period that it pays for has begun"""

    api_rate_limit: str = "12000/minute"
    """requests of one API key, in the notation of `limits`: "200/second", "12000/minute" """

    max_restarts: int = Field(10, ge=1)
    drill_folder: Path | None = None
    """where `prorata drill` orders processes to die; refused in production"""

    @field_validator("seller_country")
    @classmethod
    def _taxes_are_known(cls, value: str) -> str:
        known = sorted({*STATES, *HOME})
        if value not in known:
            raise ValueError(f"must be a country whose VAT is known: {', '.join(known)}")
        return value

    @field_validator("seller_name", "seller_address", "mail_from_name")
    @classmethod
    def _says_something(cls, value: str | None) -> str | None:
        if value is not None and not value.strip():
            raise ValueError("must not be blank")
        return value

    @field_validator("mail_from", "mail_reply_to", "support_email", mode="before")
    @classmethod
    def _is_an_address_alone(cls, value: object) -> object:
        if isinstance(value, str) and "<" in value:
            raise ValueError(
                "must be just an address such as billing@company.example; a name beside it would be dropped"
            )
        return value

    @field_validator("mail_from", "mail_reply_to")
    @classmethod
    def _is_shown_as_it_is(cls, value: str | None) -> str | None:
        if value is not None and looks_encoded(value):
            raise ValueError("must not contain =?, where mail programs see encoded text")
        return value

    @field_validator("stripe_api_key", "stripe_webhook_secret")
    @classmethod
    def _is_ascii(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().isascii():
            raise ValueError("contains a character outside ASCII; Stripe's contain none")
        return value

    @field_validator("stripe_api_key")
    @classmethod
    def _is_a_secret_key(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value().startswith("pk_"):
            raise ValueError("must be a secret key (sk_...) or a restricted one (rk_...), this is a publishable key")
        return value

    @field_validator("stripe_api_base", "vies_base_url", "public_url", "corporate_portal_url")
    @classmethod
    def _names_nobody(cls, value: AnyHttpUrl | None) -> AnyHttpUrl | None:
        if value is not None and (value.username or value.password):
            raise ValueError("must not contain a user or a password: this address is shown and logged")
        return value

    @field_validator("stripe_api_base", "vies_base_url", "public_url")
    @classmethod
    def _begins_others(cls, value: AnyHttpUrl | None) -> AnyHttpUrl | None:
        if value is not None and (value.query is not None or value.fragment is not None):
            raise ValueError("must end with the host or a path, without ? or #: paths are put behind it")
        return value

    @field_validator("drill_folder")
    @classmethod
    def _not_in_production(cls, value: Path | None, given: ValidationInfo) -> Path | None:
        if value is not None and given.data.get("environment") == "production":
            raise ValueError("is for drills; in production no process may be told to die")
        return value

    @field_validator("api_rate_limit")
    @classmethod
    def _is_a_rate(cls, value: str) -> str:
        if parse(value).amount == 0:  # its ValueError says what is wrong
            raise ValueError("must allow at least one request")
        return value

    def policy(self) -> Policy:
        """The merchant's choices, as the steps see them."""
        return Policy(
            seller=Seller(
                name=self.seller_name,
                country=self.seller_country,
                address=self.seller_address,
                vat_number=self.seller_vat_number,
                bank_account=self.seller_bank_account,
                legal_notice=self.seller_legal_notice,
                support_email=self.support_email,
                public_url=str(self.public_url).rstrip("/"),
                corporate_portal_url=str(self.corporate_portal_url),
                mail_domain=MailAddress.read(self.mail_from).address.rpartition("@")[2],
            ),
            quote_lifetime=timedelta(minutes=self.quote_minutes),
            granularity=self.proration_granularity,
            invoice_on_vat=self.invoice_on_vat,
            payment_terms=timedelta(days=self.payment_terms_days),
            vat_outage=self.vat_outage,
            waiting_lifetime=timedelta(days=self.waiting_days),
            authentication_lifetime=timedelta(minutes=self.authentication_minutes),
            max_restarts=self.max_restarts,
        )


def _plain(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


_PERHAPS = "perhaps at its end, copied from a file"

PREFIX = "PRORATA_"
Kind = TypeVar("Kind", bound=_EverySettings)
FOR_OTHERS = frozenset(
    {
        *("POSTGRES_PASSWORD", "REDIS_PASSWORD", "IMAGE_TAG"),  # docker-compose.yml, from .env
        *("API_PORT", "FLOWER_PORT", "MAILPIT_PORT", "STRIPE_PORT", "VIES_PORT"),
        *("LONG", "E2E_URL", "E2E_STRIPE_URL", "E2E_VIES_URL", "E2E_MAILPIT_URL", "E2E_PRORATA"),  # the tests
    }
)
"""names that begin like settings but are read elsewhere; see docs/deploying.md"""


def ignored(environment: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    """Names of variables that look like settings and are none, each with the setting that may be meant."""
    known = [name.upper() for name in Settings.model_fields]
    for variable in sorted(environment):
        name = variable.upper().removeprefix(PREFIX)
        if variable.upper().startswith(PREFIX) and name not in FOR_OTHERS and name not in known:
            close = get_close_matches(name, known, n=1, cutoff=0.8)
            yield variable, PREFIX + close[0] if close else None


@cache
def settings() -> Settings:
    """The settings of this process. Raises SettingsError that names what to set."""
    return read(Settings, unfit=production.unfit)


@cache
def database_settings() -> DatabaseSettings:
    """Those for a process that is given no others, so that it holds no secret that it does not need. Raises as `settings` does."""
    return read(DatabaseSettings, unfit=production.unfit_database)


@cache
def broker_settings() -> BrokerSettings:
    """See `database_settings`."""
    return read(BrokerSettings, unfit=production.unfit_broker)


@cache
def server_settings() -> ServerSettings:
    """See `database_settings`."""
    return read(ServerSettings, unfit=production.unfit_servers)


def read(kind: type[Kind], *, unfit: Callable[[Kind], production.Unfit]) -> Kind:
    """Those of this kind, from the environment. unfit: what production refuses of them."""
    misspelt = [
        (variable.upper().removeprefix(PREFIX), f"is not a setting; did you mean {meant}?")
        for variable, meant in ignored(os.environ)
        if meant
    ]
    try:
        chosen = kind()
    except ValidationError as error:
        wrong = [(_name(each["loc"]), _in_our_words(each)) for each in error.errors()]
        raise _refused(wrong + misspelt) from None
    if misspelt:
        raise _refused(misspelt)
    if chosen.environment == "production" and (why_not := list(unfit(chosen))):
        raise _refused(why_not)
    return chosen


_IN_OUR_WORDS: Final[Mapping[str, str]] = {
    "missing": "must be set",
    "int_parsing": "must be a whole number",
    "float_parsing": "must be a number",
    "bool_parsing": "must be true or false",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "url_parsing": "must be a complete address such as https://billing.company.example",
    "url_scheme": "must start with http:// or https://",
    "string_too_long": "must have at most {max_length} characters",
}
"""by pydantic's type of error; our own checks already say it so"""


def _in_our_words(error: ErrorDetails) -> str:
    ours = _IN_OUR_WORDS.get(error["type"])
    return ours.format(**error.get("ctx", {})) if ours else error["msg"].removeprefix("Value error, ")


def _refused(wrong: list[tuple[str, str]]) -> SettingsError:
    lines = "\n".join(f"  {PREFIX}{name.upper()}: {why}" for name, why in wrong)
    return SettingsError(f"These settings are missing or wrong; set them in the environment:\n{lines}")


def _name(location: tuple[int | str, ...]) -> str:
    return "_".join(str(part) for part in location)
