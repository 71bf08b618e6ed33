"""Orders, quotes and documents as answers show them, read from the tables: `order_view` with its `timeline` and the `reasons` why it waits, `quote_view`;
`invoice_view`, and what is still owed, `owed_view`; the `catalogue_view`."""
