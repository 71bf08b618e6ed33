"""`python -m api_stub.stand_ins.stripe --port 12111 --data stripe.db`; every option also as STANDIN_STRIPE_<OPTION>."""

import sqlite3
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from api_stub.stand_ins import serving
from api_stub.stand_ins.stripe.app import Settings, create_app


def _http_url(value: str | None) -> str | None:
    if value is not None and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
        raise typer.BadParameter(f"{value!r} is not an http(s) URL")
    return value


def _test_keys(keys: list[str]) -> list[str]:
    """A live key is Stripe's and ours alone; whoever starts us with one has not left the stand-ins out."""
    if any("_live_" in key for key in keys):
        raise typer.BadParameter(
            "this stand-in takes no live key: leave the stand-ins out, or give a key that begins with sk_test_"
        )
    return keys


def serve(
    data: Annotated[
        Path, typer.Option(envvar="STANDIN_STRIPE_DATA", help="SQLite file; made where there is none", dir_okay=False)
    ],
    host: Annotated[str, typer.Option(envvar="STANDIN_STRIPE_HOST")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(envvar="STANDIN_STRIPE_PORT", min=0, max=65535, help="0 takes a free one")
    ] = 12111,
    api_key: Annotated[list[str], typer.Option(envvar="STANDIN_STRIPE_API_KEY", callback=_test_keys)] = [  # noqa: B006
        "sk_test_prorata"
    ],
    webhook_url: Annotated[str | None, typer.Option(envvar="STANDIN_STRIPE_WEBHOOK_URL", callback=_http_url)] = None,
    webhook_secret: Annotated[str | None, typer.Option(envvar="STANDIN_STRIPE_WEBHOOK_SECRET")] = None,
    webhook_events: Annotated[
        str | None, typer.Option(envvar="STANDIN_STRIPE_WEBHOOK_EVENTS", help="e.g. payment_intent.*,refund.*")
    ] = None,
    latency: Annotated[
        float, typer.Option(envvar="STANDIN_STRIPE_LATENCY", min=0, help="seconds each payment takes")
    ] = 0.0,
    rate_limit: Annotated[
        int | None, typer.Option(envvar="STANDIN_STRIPE_RATE_LIMIT", min=1, help="requests a second to each endpoint")
    ] = None,
    public_url: Annotated[
        str | None, typer.Option(envvar="STANDIN_STRIPE_PUBLIC_URL", callback=_http_url, help="how browsers reach it")
    ] = None,
) -> None:
    """Serve a stand-in for Stripe's API. State is in the data file; levers are under /_control."""
    if webhook_url and not webhook_secret:
        raise typer.BadParameter("--webhook-url needs --webhook-secret")
    try:
        app = create_app(
            Settings(
                data, frozenset(api_key), webhook_url, webhook_secret, webhook_events, latency, public_url, rate_limit
            )
        )
        listening = serving.open_port(host, port)
    except sqlite3.Error as error:
        raise typer.BadParameter(f"cannot use {data} as data file: {error}", param_hint="--data") from error
    except OSError as error:
        raise typer.BadParameter(f"cannot listen on {host}:{port}: {error.strerror}", param_hint="--port") from error
    typer.echo(f"Stripe stand-in on http://{serving.address(listening)} (data in {data})")
    serving.serve(app, listening)


if __name__ == "__main__":
    typer.run(serve)
