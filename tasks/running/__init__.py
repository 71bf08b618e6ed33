"""How a step is run, for whoever changes that. A step's author needs only `tasks.step`.

- a delivery: `step_runner`, with `step_context`; how it came: `delivery`; how it ended: `outcome`
- the next step in the same process: `in_process`; for how long the order is its own: `leases`
- again, later: `retry_policy`; whether it waits in a queue already, and how long that is: `queue_heads`; that the database is away, and back, in the log: `outages`
"""
