"""The SDK speaks by urllib3 itself, and by its own client where the environment names a proxy."""

from pathlib import Path

import pytest
import stripe

from tests.support.mailbox import TLS_FLAGS, running_mailbox
from worker.adapters.stripe_http import DirectClient, http_client


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def kind(base: str = stripe.DEFAULT_API_BASE) -> type[stripe.HTTPClient]:
    return type(http_client(base, connect_timeout=3.0, read_timeout=20.0))


def test_usually_requests_go_straight_to_the_provider() -> None:
    assert kind() is DirectClient


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    assert kind() is stripe.RequestsClient
    assert kind("http://127.0.0.1:12111") is DirectClient


def test_but_not_for_a_host_that_it_is_not_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "stripe.com")
    assert kind() is DirectClient


def test_certificates_are_checked_against_the_sdks_own() -> None:
    client = DirectClient(connect_timeout=3.0, read_timeout=20.0)
    told = client._pools.connection_pool_kw
    assert (told["cert_reqs"], told["ca_certs"]) == ("CERT_REQUIRED", stripe.ca_bundle_path)


def test_a_server_whose_certificate_does_not_hold_is_not_asked_again(tmp_path: Path) -> None:
    client = DirectClient(connect_timeout=3.0, read_timeout=20.0)
    with (
        running_mailbox(tmp_path, "--tls", "implicit", *TLS_FLAGS) as stranger,
        pytest.raises(stripe.APIConnectionError) as refused,
    ):
        client.request("get", f"https://127.0.0.1:{stranger.port}/", None)
    assert refused.value.should_retry is False


def test_a_server_that_is_not_there_may_be_asked_again(unused_tcp_port: int) -> None:
    client = DirectClient(connect_timeout=3.0, read_timeout=20.0)
    with pytest.raises(stripe.APIConnectionError) as refused:
        client.request("get", f"http://127.0.0.1:{unused_tcp_port}/", None)
    assert refused.value.should_retry is True
