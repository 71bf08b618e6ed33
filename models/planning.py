"""How PostgreSQL finds the way to the rows of a query."""

from sqlalchemy import text
from sqlalchemy.orm import Session


def plan_for_values(session: Session) -> None:
    """Plan each query anew for its values, until the end of the transaction.

    The driver prepares what is asked again. From the sixth time on PostgreSQL may use one plan for all values, without partial indexes
    whose condition is a value. That is wrong where the best way depends on the values: on how many accounts a key has, or which statuses
    are asked for.
    """
    session.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
