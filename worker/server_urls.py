"""The addresses of PostgreSQL and Redis. They contain passwords: an address that our libraries would parse differently is refused
before any of them tries, and no part of it is shown."""

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, parse_qs, parse_qsl, urlsplit

from psycopg.pq import Conninfo

from worker import certificates

UNREADABLE = (
    "cannot be read; percent-encode / ? # @ : ; in the password (/ is %2F, @ is %40), and let the port be a number"
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
    """Whether it names any host but this one, or a service, which may be anywhere. PostgreSQL's address may name several hosts, also as options."""
    parts = urlsplit(url)
    options = {option: ",".join(given) for option, given in parse_qs(parts.query).items()}
    hosts = [parts.hostname or "", *options.get("host", "").split(",")]
    names = [_without_port(host) for host in hosts if not host.startswith("/")] + options.get("hostaddr", "").split(",")
    return "service" in options or any(name and not is_this_machine(name) for name in names)


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
        return not set("@:/[]") & set(value)
    return True


def name(url: str) -> str:
    """Host, port and database, without the credentials; for messages."""
    try:
        parts = urlsplit(url)
        usual = 6379 if parts.scheme.startswith("redis") else 5432
        return f"{parts.hostname or 'its socket'}:{parts.port or usual}{parts.path}"
    except ValueError:
        return "an address that cannot be read"


def _without_port(host: str) -> str:
    """Of "host:5432" or "[::1]:5432", as an option of PostgreSQL's address may name one."""
    return re.sub(r"^([^:]+|\[.*\]):[0-9]+$", r"\1", host).strip("[]")


def _parts(url: str) -> SplitResult:
    """SQLAlchemy, redis and Celery disagree on where a password with a / or an @ in it ends, so such an address is refused."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - read only when asked for
    except ValueError:
        raise ValueError(UNREADABLE) from None
    behind = f"{parts.path}{parts.query}"
    if "#" in url or "@" in behind or "@" in (parts.password or ""):
        raise ValueError(UNREADABLE)
    return parts


def _options(parts: SplitResult) -> set[str]:
    return {option for option, _ in parse_qsl(parts.query, keep_blank_values=True)}
