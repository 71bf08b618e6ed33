"""Orders and money as answers show them: `order_view` with its `timeline` and the `reasons` why it waits, `amounts`."""
