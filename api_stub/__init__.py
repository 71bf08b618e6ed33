"""The world outside: the upstream that submits orders, and stand-ins for the APIs we call. Where to look:

- the application: `app`; what it needs at start: `parts`; its contract: `openapi`
- an operation: `routes`; what it takes and answers: `schemas`, `views`, `seat_file`; how it refuses: `problems`
- what comes before it: `edge`; who asks, and what they may see: `auth`, `access`
- what `/readyz` and `/metrics` ask of PostgreSQL: `database_check`; what `/readyz` asks of Redis: `broker_check`
- beside the requests: `relay_thread` publishes what was ordered, `event_watch` follows timelines, `threads` wait for the database
- the services that we call: `stand_ins`; sample data and the demo: `sample`, `demo`
"""
