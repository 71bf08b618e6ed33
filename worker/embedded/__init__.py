"""Real PostgreSQL and Redis from wheels, each in a folder of its own, on a free loopback port.

For `make demo`, `make test`, `prorata up` and drills; production brings its own servers. Several copies may run at once on one
machine, a folder may be used again later (data and password stay), and no server outlives the process that started it.
"""

from worker.embedded.postgresql import PostgresServer, postgres
from worker.embedded.redis_server import RedisServer, redis
from worker.embedded.wheels import ServerMissing

__all__ = ["PostgresServer", "RedisServer", "ServerMissing", "postgres", "redis"]
