"""Money that goes back. `tasks.refund_payment` is the step, `tasks.operating.support_refund` what an operator does.

- `refunding` makes one refund, `refunded` says what is recorded; one that waits until our account at the provider has funds: `unfunded_refunds`
- refunds that were made at the provider without us: `refunds_elsewhere`, and `fallen_short` for those that failed once a person had recorded the rest; money that the customer's bank takes back, or asks about: `disputes` (`undecided`, where it may still take it), and `turned_disputes` once that was recorded, `contested` once it was decided anew; what the customer has of all that more than once: `given_twice`
- the notice, while what it says is not true: `parked_notices`
"""
