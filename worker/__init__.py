"""How it runs: Celery app, settings, database engine, outbox relay, adapters, the `prorata` command."""
