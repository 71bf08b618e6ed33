"""Every Celery setting, with its reason. Recovery does not rest on the broker: the sweep restarts what it loses."""

from celery.schedules import crontab
from kombu.entity import Queue

from tasks.queues import QUEUE_NAMES, QUEUES
from worker.environment import broker_settings as _settings

_chosen = _settings()

broker_url = _chosen.broker_url.get_secret_value()
broker_connection_retry_on_startup = True
broker_connection_max_retries = None  # a worker waits for its broker however long it is away
broker_channel_error_retry = True
broker_transport_options = {
    # A connection cut without notice (failover, a firewall's timeout) is noticed within 10 s: by socket_timeout in a call, by
    # health_check_interval while waiting for messages (kombu 5.7 gives up on a BRPOP after brpop_timeout 1 s + 2 x this).
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 4,
    "priority_steps": [0],  # no priorities; each further step would be another list to wait at
}
task_publish_retry_policy = {"max_retries": 2, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.5}

result_backend = None  # the database is the truth; Flower reads events
result_backend_thread_safe = True  # one for all threads; each would load its own at its first task
task_ignore_result = True

task_acks_late = True  # the message of a killed child process comes back; every step may be delivered twice
task_reject_on_worker_lost = True  # redelivered once; worker.rejected.Request keeps it if it kills a second process
worker_prefetch_multiplier = 1  # a slow payment must not sit on others' messages
# A step in flight ends by itself; its second delivery is guarded.
worker_cancel_long_running_tasks_on_connection_loss = False
worker_soft_shutdown_timeout = 10.0  # on QUIT or a second Ctrl-C; TERM waits for all that is at work

accept_content = ["json"]
task_serializer = "json"
result_serializer = "json"
event_serializer = "json"

task_default_queue = "orders"
task_routes = {str(name): {"queue": queue} for name, queue in QUEUES.items()}
task_queues = [Queue(name) for name in QUEUE_NAMES]
task_create_missing_queues = False
worker_direct = True  # each worker has a queue of its own, for its canary
worker_consumer = "worker.rejected:Consumer"

worker_send_task_events = True  # what Flower shows
# That an order was placed is recorded elsewhere; at the API this would cost as much as publishing it.
task_send_sent_event = False
worker_hijack_root_logger = False
# No `celery inspect` and no control in Flower: it costs a second connection, to PUBLISH/SUBSCRIBE, on which kombu 5.7 with redis 8
# reads without a time limit: after Redis is killed and restarted, a worker may wait there for ever, taking no orders.
worker_enable_remote_control = False
timezone = "UTC"

beat_scheduler = "worker.scheduler:Scheduler"
"""in memory: Celery's default one keeps a file of pickles, by which anybody who can write that file could run code in beat"""
_EXPIRES = 60
"""seconds: a message that waits longer has been sent again. Two hosts' clocks are compared, so it must exceed their difference."""

beat_schedule = {
    **{
        f"heartbeat of {queue}": {
            "task": "heartbeat",
            "schedule": 15.0,
            "args": (queue,),
            "options": {"queue": queue, "expires": _EXPIRES},
        }
        for queue in QUEUE_NAMES
    },
    "housekeeping": {"task": "housekeeping", "schedule": 300.0, "options": {"expires": 300}},
    "late_charges": {"task": "late_charges", "schedule": 60.0, "options": {"expires": _EXPIRES}},
    "old_quotes": {"task": "old_quotes", "schedule": crontab(hour="3", minute="30"), "options": {"expires": 3600}},
    "relay": {"task": "relay", "schedule": 1.0, "options": {"expires": _EXPIRES}},
    "sweep": {"task": "sweep", "schedule": _chosen.sweep_seconds, "options": {"expires": _EXPIRES}},
    "vat_follow_up": {"task": "vat_follow_up", "schedule": 30.0, "options": {"expires": _EXPIRES}},
    "webhooks": {"task": "handle_webhooks", "schedule": 2.0, "options": {"expires": _EXPIRES}},
}
