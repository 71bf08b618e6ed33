"""How a step is run, for whoever changes that. A step's author needs only `tasks.step`.

- a delivery: `step_runner`, with `step_context`; how it came: `delivery`; how it ended: `outcome`
- the next step in the same process: `hand_over`; in the same transaction: `carrying`
- how many at once, and for how long an order is theirs: `slots`, `leases`
- again, later: `retry_policy`; whether it waits in a queue already: `queue_heads`
"""
