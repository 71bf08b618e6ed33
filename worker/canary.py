"""The task that a worker has to sing (`worker.health`)."""

from celery import current_app, shared_task

from worker.health import CANARY, HEARD_FOR


@shared_task(name=CANARY, ignore_result=True)
def canary(song: str | None) -> None:
    """song: the key to leave in Redis as a sign; None where it is enough that the message was taken."""
    if song is None:
        return
    with current_app.connection_for_write() as connection:
        client = connection.default_channel.client
        client.lpush(song, 1)
        client.expire(song, HEARD_FOR)
