"""What an upstream asks for besides quotes and orders (those are `tasks.placement`).

- about a waiting order: `continuing`, `cancelling`; with whom it goes on: `who_orders`; whether the same was granted before: `granted_requests`
- about an account: `carts`, `payment_details`, `seats`; when it is given no more cards: `declines`
- who asks: `callers`, with `api_keys`, and what happened to these: `key_history`; what the requests have in common: `request`
"""
