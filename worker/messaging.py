"""The Celery application without its tasks, for whoever only sends a message, as the API does; `worker.app` adds the tasks. The settings are in `worker.celery_config`, read when first needed."""

from celery import Celery

from worker import broker

broker.install()
app = Celery("prorata", set_as_current=True, events="worker.events:Events")
app.config_from_object("worker.celery_config")
app.set_default()  # in every thread: the API publishes from a thread of its own
