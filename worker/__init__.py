"""How it runs: the Celery application, settings, database, broker, adapters and the prorata command. Where to look:

- the command: `entry`, `cli`, one module per group of subcommands in `commands`; what it prints: `printed_tables`; how it starts processes: `command_lines`;
  files that a person writes: `loading`
- settings: `settings` declares each, `environment` reads them, nobody else does; addresses with their TLS: `server_urls`, `certificates`;
  what production refuses: `production`, `example_seller`
- at start: `wiring` plugs everything into the steps; `schema` checks the database, `pooler` what stands before it, `single_redis` the broker, `descriptors` the limit of open files; `logs`, `heap`
- Celery: `app`, without its tasks `messaging`; `thread_pool`, where most workers run their tasks; `celery_config`, each setting with its reason; `broker` mends kombu's transport;
  `scheduler` is beat's; `celery_command`, `events` (for Flower)
- PostgreSQL: `database`; migrations beside running processes: `upgrading`
- messages: `relay` publishes the outbox; which steps need none: `own_steps`; what cannot be worked on: `rejected`
- a worker that hangs: `health` tells by its `canary`, `watchdog` ends it, at the latest after a `longest_delivery`; a queue that nobody takes from: `heartbeat`; one that is told to end: `hang_up`, as PID 1 `first_process`
- outside services: `adapters`; where the payment provider's notifications arrive: `webhook_endpoint`
- all of it on one machine: `embedded` (PostgreSQL, Redis), `processes`, `stack`; to break it: `drill`, `drill_points`
"""
