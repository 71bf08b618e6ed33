"""Where the parts of a stack listen, and the settings that make them one system."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from worker import example_seller
from worker.settings import Settings

VIES_PATH = "/taxation_customs/vies/rest-api"
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Ports:
    api: int
    stripe: int
    vies: int
    smtp: int
    mailbox: int
    flower: int

    @classmethod
    def reserved(cls, reserve: Callable[[], int]) -> "Ports":
        return cls(**{field.name: reserve() for field in fields(cls)})


@dataclass(frozen=True, slots=True)
class Addresses:
    """URLs without a slash at their end."""

    api: str
    stripe: str
    """the stand-in's; its levers and books are under /_control"""
    vies: str
    mailbox: str
    """pages in the browser, Mailpit's JSON under /api/v1"""
    flower: str | None = None

    @classmethod
    def of(cls, ports: Ports, *, flower: bool) -> "Addresses":
        urls = {
            name: f"http://{LOOPBACK}:{getattr(ports, name)}" for name in ("api", "stripe", "vies", "mailbox", "flower")
        }
        return cls(**urls | ({} if flower else {"flower": None}))  # type: ignore[arg-type]


class StackSettings(Settings):
    """Settings of a stack: what it was given and defaults, nothing of the caller's environment."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


def variables(ports: Ports, *, database_url: str, broker_url: str, chosen: Mapping[str, str]) -> dict[str, str]:
    """The PRORATA_ variables of every process, with those of `chosen` overriding ours; two secrets are new each time."""
    here = Addresses.of(ports, flower=False)
    own = {
        "ENVIRONMENT": "development",
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "STRIPE_API_KEY": f"sk_test_{secrets.token_hex(12)}",
        "STRIPE_WEBHOOK_SECRET": f"whsec_{secrets.token_hex(16)}",
        "STRIPE_API_BASE": here.stripe,
        "VIES_BASE_URL": here.vies + VIES_PATH,
        "SMTP_HOST": LOOPBACK,
        "SMTP_PORT": str(ports.smtp),
        "SMTP_TLS": "none",
        "PUBLIC_URL": here.api,
        "SELLER_VAT_NUMBER": example_seller.VAT_NUMBER,  # ours are made up; without them no invoice would be as production wants it
        "SELLER_BANK_ACCOUNT": example_seller.BANK_ACCOUNT,
    }
    return {f"PRORATA_{name}": value for name, value in own.items()} | dict(chosen)


def settings_of(variables: Mapping[str, str]) -> Settings:
    values: dict[str, Any] = {name.removeprefix("PRORATA_").lower(): value for name, value in variables.items()}
    return StackSettings(**values)
