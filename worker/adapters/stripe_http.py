"""How the Stripe SDK speaks HTTP: by urllib3 directly, in place of `requests`, which is built on it and takes as long again.

`requests` works out proxies, cookies and passwords anew for each request. Where the environment names a proxy for Stripe's
address, we keep the SDK's own client, which uses `requests` and so goes through that proxy.
"""

from collections.abc import Mapping
from typing import Any, NoReturn

import stripe
import urllib3
from requests.utils import get_environ_proxies, select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from worker.adapters.stripe_errors import is_untrusted

_KEPT_OPEN = 32
"""connections to one host; more are opened where they are needed, and closed after use"""


def http_client(base: str, *, connect_timeout: float, read_timeout: float) -> stripe.HTTPClient:
    """For requests to `base`; seconds for one try."""
    if select_proxy(base, get_environ_proxies(base)):
        return stripe.RequestsClient(timeout=(connect_timeout, read_timeout))
    return DirectClient(connect_timeout=connect_timeout, read_timeout=read_timeout)


class DirectClient(stripe.HTTPClient):
    """Shared by threads. Never retries by itself, follows no redirect, and trusts the SDK's certificate authorities."""

    name = "urllib3"

    def __init__(self, *, connect_timeout: float, read_timeout: float) -> None:
        super().__init__()
        self._pools = urllib3.PoolManager(
            maxsize=_KEPT_OPEN,
            timeout=urllib3.Timeout(connect=connect_timeout, read=read_timeout),
            retries=False,
            cert_reqs="CERT_REQUIRED",
            ca_certs=stripe.ca_bundle_path,
        )
        self._pools.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **_: Any
    ) -> tuple[Any, int, Mapping[str, str]]:
        try:
            answer = self._pools.urlopen(method.upper(), url, body=post_data, headers=headers, redirect=False)
        except HTTPError as error:
            _raise_as_stripes(error)
        text = answer.data.decode(errors="replace")  # the SDK would fail at a proxy's error page that is not UTF-8
        return text, answer.status, answer.headers

    def close(self) -> None:
        self._pools.clear()


class _InOne(HTTPConnection):
    """Sends a request's head and body together: apart, they are two packets, or two TLS records, and wake the server up twice."""

    _parts: list[bytes] | None = None
    """of a request that is being put together"""

    def request(self, *args: Any, **options: Any) -> None:
        parts = self._parts = []
        try:
            super().request(*args, **options)
        finally:
            self._parts = None
        self.send(b"".join(parts))

    def send(self, data: Any) -> None:
        if self._parts is None:
            super().send(data)
        else:
            self._parts.append(data)


class _TlsInOne(_InOne, HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _InOne


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsInOne


def _raise_as_stripes(error: HTTPError) -> NoReturn:
    """Every error may be retried, except a certificate that is not trusted: it would be the same the next time."""
    message = f"{type(error).__name__} while asking Stripe"
    should_retry = not is_untrusted(error)
    raise stripe.APIConnectionError(message, should_retry=should_retry) from error  # type: ignore[no-untyped-call]
