"""How an order is charged once. `tasks.collect_payment` is the step.

- `charging` decides what to ask the provider next, `charge_calls` asks, `charge_answers` says what its answer means;
  `charge_attempts` has the rows with the idempotency keys, `authentication_time` how long 3-D Secure may take
- found after a restore: money of another amount than is due, `outdated_charges`; a charge of an attempt that is forgotten, `forgotten_attempts`
- the provider's news: `webhooks` stores and reads them, `charge_news` acts on them, and `news_outcome` has what may come of it
- money that an order has no use for goes back: `unexpected_money`
- without a webhook: `payment_authentication` asks about 3-D Secure, `late_charges` about money on attempts that were given up
"""
