"""The addresses of PostgreSQL and Redis. They contain passwords: an address that our libraries would parse differently is refused
before any of them tries, and no part of it is shown."""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from itertools import cycle
from typing import Any
from urllib.parse import SplitResult, parse_qs, parse_qsl, urlsplit

from psycopg.pq import Conninfo
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from worker import certificates

UNREADABLE = (
    "cannot be read; percent-encode / ? # @ : ; [ ] in the password (/ is %2F, @ is %40), and let the port be a number"
)
HOST_UNREADABLE = (
    "names its host or port in a way that cannot be read: write @db:5432/ or ?host=db&port=5432, "
    "of IPv6 @[::1]:5432/ or ?host=::1&port=5432; a name has at most 63 characters between dots"
)
HOST_ENCODED = "has a % in its host, which is not decoded there: a socket's folder is written @/DATABASE?host=/path"
HOSTS_UNREADABLE = (
    "names its hosts in a way that cannot be read: "
    "several are written ?host=a:5432&host=b:5432, of IPv6 ?host=::1,::2&port=5432,5432"
)
_ENCRYPTED = frozenset({"require", "verify-ca", "verify-full"})
_WITHOUT_HOST = frozenset({"host", "hostaddr", "service"})


def check_database(url: str) -> None:
    """Raises ValueError that says what is wrong. A URL without a host must name one, a socket's folder or a service in its options."""
    parts = _parts(url)
    options = _options(parts)
    if not parts.hostname and not options & _WITHOUT_HOST:
        raise ValueError("names no host")
    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    if unknown := sorted(options - known):
        raise ValueError(f"PostgreSQL's library has no option {', '.join(unknown)}")
    if "%" in (parts.hostname or "") and not is_host(parts.hostname or ""):
        raise ValueError(HOST_ENCODED)
    if not all(_is_socket(host) or is_host(host) for host in _listed(_connection(url), "host")):
        raise ValueError(_hosts_unreadable(url))


def check_broker(url: str) -> None:
    """Raises ValueError that says what is wrong."""
    parts = _parts(url)
    if ";" in url:
        raise ValueError(UNREADABLE)  # to Celery, a second address begins there
    if not parts.hostname:
        raise ValueError("names no host")
    if not re.fullmatch(r"/?[0-9]*", parts.path):
        raise ValueError("must end with a database number such as /0")
    if unknown := sorted(_options(parts) - set(certificates.OPTIONS)):
        raise ValueError(f"takes the options {', '.join(certificates.OPTIONS)} only, not {', '.join(unknown)}")


def lets_anybody_in(broker_url: str) -> bool:
    """Whether a broker on another machine asks us for neither a password nor a certificate: anybody who reaches it may send tasks."""
    parts = urlsplit(broker_url)
    known_by = parts.password or "ssl_certfile" in parse_qs(parts.query)
    return not known_by and not is_this_machine(parts.hostname or "")


def is_open_to_readers(url: str) -> bool:
    """Whether what goes there crosses a network without TLS, or may: by default PostgreSQL's library does without if it must."""
    parts = urlsplit(url)
    encrypted = parts.scheme == "rediss" or parse_qs(parts.query).get("sslmode", [""])[-1] in _ENCRYPTED
    return not encrypted and leaves_this_machine(url)


def leaves_this_machine(url: str) -> bool:
    """Whether it names any host but this one, or a service, which may be anywhere. PostgreSQL's address may name several hosts."""
    if _is_redis(url):
        return not is_this_machine(urlsplit(url).hostname or "")
    options = _connection(url)
    named = [*_listed(options, "host"), *_listed(options, "hostaddr")]
    return "service" in options or not all(_is_socket(host) or is_this_machine(host) for host in named)


def is_this_machine(host: str) -> bool:
    """Whether it is a loopback address, or localhost: what is sent there stays on this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_host(value: str) -> bool:
    """Whether it is a name or an address, without port, brackets or scheme: what a connection can be made to."""
    try:
        ip_address(value)
    except ValueError:
        try:
            value.encode("idna")  # as the socket does; a label may be neither empty nor too long
        except UnicodeError:
            return False
        return value != "" and not set("@:/[],;#?%") & set(value)
    return True


def name(url: str) -> str:
    """Hosts, ports and database, without the credentials; for messages."""
    try:
        if _is_redis(url):
            parts = urlsplit(url)
            return f"{_at(parts.hostname or '', str(parts.port or 6379))}{parts.path}"
        options = _connection(url)
    except ValueError:
        return "an address that cannot be read"
    database = f"/{options['dbname']}" if "dbname" in options else ""
    hosts = _listed(options, "host") or _listed(options, "hostaddr")
    if not hosts and "service" in options:
        return f"its service {options['service']}{database}"
    each = zip(hosts or [""], cycle(_listed(options, "port") or [""]), strict=False)  # one port is that of all hosts
    return ",".join(_at(host, port or "5432") for host, port in each) + database


def _at(host: str, port: str) -> str:
    if not host or _is_socket(host):
        return f"its socket:{port}"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_socket(host: str) -> bool:
    return host.startswith(("/", "@"))


def _is_redis(url: str) -> bool:
    return url.startswith("redis")


def _connection(url: str) -> Mapping[str, Any]:
    """The options that the driver gets, as SQLAlchemy reads the address. Raises ValueError."""
    try:
        read = make_url(url)
        return read.get_dialect()().create_connect_args(read)[1]
    except (ArgumentError, ValueError):
        raise ValueError(_hosts_unreadable(url)) from None


def _hosts_unreadable(url: str) -> str:
    parts = urlsplit(url)
    named = ",".join([parts.netloc.rpartition("@")[2], *parse_qs(parts.query).get("host", [])])
    return HOSTS_UNREADABLE if "," in named.strip(",") else HOST_UNREADABLE


def _listed(options: Mapping[str, Any], name: str) -> list[str]:
    return str(options[name]).split(",") if options.get(name) else []


def _parts(url: str) -> SplitResult:
    """SQLAlchemy, redis and Celery disagree on where a password with a / or an @ in it ends, so such an address is refused."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError(UNREADABLE) from None
    behind = f"{parts.path}{parts.query}"
    if "#" in url or "@" in behind or "@" in (parts.password or ""):
        raise ValueError(UNREADABLE)
    try:
        parts.port  # noqa: B018 - read only when asked for
    except ValueError:
        several = "," in parts.netloc.rpartition("@")[2] and not _is_redis(url)
        raise ValueError(HOSTS_UNREADABLE if several else UNREADABLE) from None
    return parts


def _options(parts: SplitResult) -> set[str]:
    return {option for option, _ in parse_qsl(parts.query, keep_blank_values=True)}
