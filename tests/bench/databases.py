"""Where a world's orders are, as libpq wants it."""

from benchmarks.servers import plain
from tests.support.world import World


def database_url(world: World) -> str:
    return plain(world.transactions.engine.url.render_as_string(hide_password=False))
