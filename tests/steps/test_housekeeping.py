"""Nothing is kept longer than it serves, and nothing that is still to be done is thrown away."""

from datetime import timedelta

from models.messages import WebhookReceived
from tasks.housekeeping import housekeeping
from tests.support.world import World


def test_handled_notifications_go_after_thirty_days_and_others_stay(world: World) -> None:
    old, fresh = world.time - timedelta(days=31), world.time - timedelta(days=29)
    with world.begin() as session:
        for event_id, handled_at in (("evt_old", old), ("evt_fresh", fresh), ("evt_waiting", None)):
            session.add(WebhookReceived(id=event_id, type="x", payload=b"{}", received_at=old, handled_at=handled_at))
    assert housekeeping() == 1
    assert sorted(row.id for row in world.rows(WebhookReceived)) == ["evt_fresh", "evt_waiting"]
