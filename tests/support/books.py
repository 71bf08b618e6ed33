"""What `prorata ledger verify` finds in the books of a world."""

from tasks.ledger_check.verify import verify
from tests.support.world import World


def verified(world: World) -> list[str]:
    """What differs; nothing where the books agree."""
    with world.begin() as session:
        return [str(difference) for difference in verify(session)]
