"""What operators do, behind `prorata orders`, `prorata cases` and `prorata webhooks`.

- what their acts on an order share: `order_at_hand`
- about an order: `order_story` and `at_provider` tell, `resumption` puts it back on its way, `support_refund` gives money back,
  `outside_refunds` and `unexpected_refunds` record what was given back by other means or by the bank (what they share: `outside_records`; of an order that is owed more since: `owed_since`), `dispute_notes` and `refund_notes` note disputes and refunds whose events were missed, `dispute_settlements` settles lost ones, `letters_again` sends a letter once more
- requests for a lower tier: `support_desk`; notifications of the provider that wait: `waiting_webhooks`
"""
