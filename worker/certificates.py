"""TLS to Redis and PostgreSQL: certificates are checked unless the setting explicitly turns that off, and an error about a certificate
says what to do."""

from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs")
"""what an address of Redis may say of TLS; redis has more, some of which switch checks off"""
HOW_TO_TRUST = {
    "PRORATA_BROKER_URL": "rediss://...?ssl_ca_certs=FILE",
    "PRORATA_DATABASE_URL": "...?sslmode=verify-full&sslrootcert=FILE",
}
_SIGNS = ("certificate verify failed", "certificate_verify_failed", "does not match host name", "root certificate file")


def checked(redis_url: str) -> str:
    """The same address, with the certificate check spelled out for rediss://. Raises ValueError that says what is wrong.

    Each library has its own default and its own spelling: without this, workers would accept any certificate, and `CERT_REQUIRED`
    would be valid for workers but an error in the API.
    """
    parts = urlsplit(redis_url)
    if parts.scheme != "rediss":
        return redis_url
    query = dict(parse_qsl(parts.query))
    query["ssl_cert_reqs"] = query.get("ssl_cert_reqs", "required").lower().removeprefix("cert_")
    if query["ssl_cert_reqs"] not in ("required", "none"):
        raise ValueError("ssl_cert_reqs must be required (the default) or none")
    for name in OPTIONS:
        if name != "ssl_cert_reqs" and name in query and not Path(query[name]).is_file():
            raise ValueError(f"{name}: there is no file {query[name]}")
    return urlunsplit(parts._replace(query=urlencode(query, safe="/")))


def checks_nothing(redis_url: str) -> bool:
    parts = urlsplit(redis_url)
    return parts.scheme == "rediss" and dict(parse_qsl(parts.query)).get("ssl_cert_reqs") == "none"


def what_to_do(said: str, *settings: str) -> str | None:
    """What an operator can do where `said`, an error's text, is about a certificate; None where it is not."""
    if not any(sign in said.lower() for sign in _SIGNS):
        return None
    ways = " or ".join(f"{name} ({HOW_TO_TRUST[name]})" for name in settings or HOW_TO_TRUST)
    return (
        "the server's certificate is not trusted: it must be issued for the host in the setting, by an authority that this machine trusts; "
        f"name your own authority's certificate in {ways}"
    )
