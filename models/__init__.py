"""What is true: tables, guarded transitions and, in `rules`, pure functions. Where to look:

- the tables: `orders`, with their statuses in `states`; `accounts`, `subscriptions`, `catalogue`, `carts`, `payments`, `ledger`, `invoices`,
  `vat_follow_ups`, `messages` (outbox, letters, webhooks), `rejected_messages`, `support_cases`, `api_keys`, `books_checks`,
  `erasures`, `lost_numbers`, `withdrawn_payments`; all of them at once: `tables`
- how an order changes, under the lease of `lease`: `recording` where a step ends, `progress` otherwise; where it stops, `ending`,
  `waiting_orders` and `attention` (for a person); at its two ends, `placing` and `activation`; what it has been through, `timeline`, in
  entries of `timeline_kinds`
- what protects money: `reservation`, `invoice_numbers`, `account_lock`, `order_lock`, `never_changed`, `disputed_charges` (of what `paid_by` finds) and
  `refunded_elsewhere`
- input for the rules: `cart_facts`, `offers`, `sold_to`
- speed, for what every order does: `prepared`, `step_ends`, `row_inserts`, `order_cache`; for queries with many answers: `planning`
- what all tables share: `base`; what the errors of all layers share: `errors`; texts in any locale: `any_locale`
"""
