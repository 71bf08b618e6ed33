"""A server that behaves like Stripe's API, as far as an order needs it: real HTTP, state on disk, faults to order.

Covered: customers (create, retrieve, delete) · payment methods from Stripe's test tokens (attach, detach, retrieve, list) · PaymentIntents
(create, confirm, retrieve, cancel, list; cards, automatic capture, 3-D Secure with a page to click) · refunds (create,
retrieve, list; pending and failing ones, and those that wait for funds) · disputes (retrieve, list) · events (list, retrieve) · signed webhooks with
retries · idempotency keys · API keys, restricted ones too · a rate limit for each endpoint · error bodies, Request-Id,
Stripe-Should-Retry · amount minimums and decimal places of currencies · `expand` of a PaymentIntent's latest charge
and of disputes' charges with their refunds.

Not covered: card numbers, SetupIntents, manual capture, charges as an API of their own, evidence in disputes, other payment methods
than cards, Connect, any other `expand`, updates, other deletions, test clocks, rate limits of the account, API versions (one: the
SDK's). A parameter that Stripe knows and this does not cover is refused with a message that says so, never ignored.

`python -m api_stub.stand_ins.stripe --help` starts it; `control.py` lists the levers, `faults.py` what can go wrong.
"""
