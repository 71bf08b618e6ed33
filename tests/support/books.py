"""What `prorata ledger verify` finds in the books of a world."""

from uuid import UUID

from tasks.ledger_check.differences import Difference
from tasks.ledger_check.verify import verify
from tests.support.world import World


def differences(world: World, account_id: UUID | None = None) -> list[Difference]:
    """What differs, of that account only if one is named; nothing where the books agree."""
    with world.begin() as session:
        return verify(session, account_id)


def verified(world: World) -> list[str]:
    """The same in words."""
    return [str(difference) for difference in differences(world)]
