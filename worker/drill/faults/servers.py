"""Faults of the servers we depend on: Redis and PostgreSQL killed, Redis emptied, PostgreSQL ending our connections."""

import shutil
from pathlib import Path

import redis
from sqlalchemy import text

from worker.drill.faults.kind import Fault, Strike


async def _redis_killed(on: Strike) -> int:
    async with on.turn("redis"):
        await on.aside(on.ground.stack.redis.kill)
        await on.aside(on.ground.stack.redis.restart)
    return 1


async def _redis_lost_everything(on: Strike) -> int:
    """As a Redis without persistence after a crash."""
    async with on.turn("redis"):
        await on.aside(on.ground.stack.redis.kill)
        await on.aside(_forget, on.ground.stack.folder / "redis")
        await on.aside(on.ground.stack.redis.restart)
    return 1


def _forget(folder: Path) -> None:
    for kept in folder.glob("appendonly*"):
        shutil.rmtree(kept) if kept.is_dir() else kept.unlink()


async def _redis_flushed(on: Strike) -> int:
    async with on.turn("redis"):
        return await on.aside(_flush, on.ground.stack.redis.url)


def _flush(url: str) -> int:
    with redis.Redis.from_url(url) as client:
        keys = int(client.dbsize())
        client.flushall()
        return keys


async def _postgres_killed(on: Strike) -> int:
    async with on.turn("postgres"):
        await on.aside(on.ground.stack.postgres.kill)
        await on.aside(on.ground.stack.postgres.restart)
    return 1


async def _backends_terminated(on: Strike) -> int:
    async with on.turn("postgres"):
        return await on.aside(_terminate, on)


def _terminate(on: Strike) -> int:
    with on.ground.begin() as session:
        ended = session.execute(
            text(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid() and application_name = 'prorata'"
            )
        )
        return len(ended.all())


SERVERS = (
    Fault("Redis: kill -9, its file kept", _redis_killed),
    Fault("Redis: kill -9, its file lost", _redis_lost_everything),
    Fault("Redis: FLUSHALL", _redis_flushed),
    Fault("PostgreSQL: kill -9, crash recovery", _postgres_killed),
    Fault("PostgreSQL: backends terminated", _backends_terminated),
)
