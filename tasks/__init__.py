"""What happens: one module per step of an order, and the pipeline that strings them together. Where to look:

- the order's way: `pipeline` first, then the steps it names, then the way back, `refund_payment` and `send_refund_notice`
- what an upstream calls: `placement`, which quotes and places, with `continuing` and `cancellation`; `carts`, `payment_details`, `seats`,
  `api_keys`; what its requests have in common: `upstream`; repeated requests: `granted_requests`
- between quote and charge: `quoting`, `ordered_cart`, `fresh_quote`, `what_changed`, `rejection`, `support_case`
- the charge: `collect_payment` is the step; `charging` decides, `charge_calls` asks, `charge_attempts` has the rows; the webhook's side is
  `webhooks`, `charge_news`
- refunds: `refunding`; those made elsewhere: `refunds_elsewhere`; those that wait for funds: `unfunded_refunds`
- VAT numbers: `vat_check` in step 3; in an outage `number_set_aside`; after it `vat_follow_up`, then `vat_correction`
- documents and letters: `invoicing`, `documents`, `invoice_lines`, `order_periods`, `receivables`, `invoices`; `mailing`, `occasions`,
  `attachments`, `letters`, `locales`, `display_names`, `plain_text`
- how a step is run: `step` for its author; `step_runner`, `step_context`, `outcome`, `delivery`, `hand_over`, `carrying`, `slots`,
  `leases`, `retry_policy`, `errors`
- what is stalled or over: `sweep`, `trials`, `payment_authentication` (3-D Secure), `queue_heads`, `housekeeping`
- for people who operate it: `operations`, `support_refund`, `support_desk`, `waiting_webhooks`, `order_story`, `at_provider`, `ledger_check`,
  `reconciliation`, `personal_data`; for drills: `failure_points`
- what is plugged in: `ports` declares the outside services, `policy` the merchant's choices, `wiring` provides both
"""
