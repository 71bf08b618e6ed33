"""What is true: tables, guarded transitions and, in `rules`, pure functions. Where to look:

- the tables: `orders` with their words in `states`; `accounts`, `subscriptions`, `catalogue`, `carts`, `payments`, `ledger`, `invoices`,
  `vat_follow_ups`, `messages` (outbox, letters, webhooks), `rejected_messages`, `support_cases`, `api_keys`, `books_checks`; all of them at
  once: `tables`
- what may happen to an order: `progress`, under the lease of `lease`; `waiting_orders` and `attention` (for a person) where it stops, as an
  `ending` says; `placing` and `activation` at its two ends
- what may happen to money: `reservation`, `invoice_numbers`, `account_lock`, `order_lock`, `never_changed`
- what the rules are asked with: `cart_facts`, `offers`, `sold_to`
- speed, for what every order does: `prepared`, `recording`, `step_ends`, `row_inserts`, `order_cache`
- what all tables share: `base`; what the errors of all layers share: `errors`
"""
