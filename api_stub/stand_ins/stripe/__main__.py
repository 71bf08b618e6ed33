"""`python -m api_stub.stand_ins.stripe --port 12111 --data stripe.db`; every option also as STANDIN_STRIPE_<OPTION>."""

from typing import Annotated
from urllib.parse import urlsplit

import typer

from api_stub.stand_ins.serving import DataFile, Host, Port, address, listen, run, serve
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


def main(
    data: DataFile,
    host: Host = "127.0.0.1",
    port: Port = 12111,
    api_key: Annotated[list[str], typer.Option(callback=_test_keys)] = ["sk_test_prorata"],  # noqa: B006
    webhook_url: Annotated[str | None, typer.Option(callback=_http_url)] = None,
    webhook_secret: str | None = None,
    webhook_events: Annotated[str | None, typer.Option(help="e.g. payment_intent.*,refund.*")] = None,
    latency: Annotated[float, typer.Option(min=0, help="seconds each payment takes")] = 0.0,
    rate_limit: Annotated[int | None, typer.Option(min=1, help="requests a second to each endpoint")] = None,
    public_url: Annotated[str | None, typer.Option(callback=_http_url, help="how browsers reach it")] = None,
) -> None:
    """Serve a stand-in for Stripe's API. State is in the data file; levers are under /_control."""
    if webhook_url and not webhook_secret:
        raise typer.BadParameter("--webhook-url needs --webhook-secret")
    listening = listen(host, port)
    app = create_app(
        Settings(data, frozenset(api_key), webhook_url, webhook_secret, webhook_events, latency, public_url, rate_limit)
    )
    typer.echo(f"Stripe stand-in on http://{address(listening)} (data in {data})")
    serve(app, listening)


if __name__ == "__main__":
    run(main, env_prefix="STANDIN_STRIPE")
