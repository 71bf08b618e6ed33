"""Every setting (prefix PRORATA_): its name, its default and what it must be. `worker.environment` reads them."""

import re
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Literal

from limits import parse
from pydantic import (
    AnyHttpUrl,
    EmailStr,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.rules.proration import Granularity
from models.rules.vat_rates import HOME, STATES
from tasks.plain_text import looks_encoded
from tasks.policy import Policy, Seller, VatOutage
from worker import certificates, server_urls
from worker.adapters.mime import MailAddress


class SmtpTls(StrEnum):
    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


class EverySettings(BaseSettings):
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


class DatabaseSettings(EverySettings):
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


class BrokerSettings(EverySettings):
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

    @field_validator("smtp_host")
    @classmethod
    def _is_a_host_alone(cls, value: str) -> str:
        if not server_urls.is_host(value):
            raise ValueError(
                "must be a host's name or address alone (of IPv6 without brackets); the port is PRORATA_SMTP_PORT"
            )
        return value

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
