"""Is the broker one Redis server? In a cluster, kombu's commands of several keys fail, but a write of one key does not."""

from urllib.parse import urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from models.errors import Explained
from worker import server_urls


class NotOneServer(Explained):
    """A cluster, or a Sentinel, which only knows where the server is."""


def check(broker_url: str) -> None:
    """Raises NotOneServer."""
    any_mode = (
        urlsplit(broker_url)._replace(path="/0").geturl()
    )  # a cluster has no other database, a Sentinel none at all
    with connected(any_mode) as client:
        check_mode(client, broker_url)


def check_mode(client: "Redis", broker_url: str) -> None:
    """Raises NotOneServer. A Redis that is away, does not tell, or may not be asked by our user, passes: a process meets that by itself, and waits."""
    try:
        mode = client.info("server").get("redis_mode", "standalone")
    except (RedisError, AttributeError):  # the latter where the answer is no text, as from a broken proxy
        return
    if mode != "standalone":
        raise NotOneServer(
            f"The Redis at {server_urls.name(broker_url)} is in {mode} mode (PRORATA_BROKER_URL): "
            "Prorata needs one Redis server, not a cluster and not a Sentinel."
        )


def connected(url: str) -> "Redis":
    """A client that gives up after a second."""
    return Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0))
