"""What happens to an order: one module per step, and the pipeline that strings them together. Where to look:

- the order's way: `pipeline` first, then the steps it names, then the way back, `refund_payment` and `send_refund_notice`
- what an upstream calls: `placement`, which quotes and places; the rest of its requests: `upstream`
- what the steps share: `quotes`, `charges`, `refunds`, `vat`, `billing` (documents as rows), `mail`
- what customers read: `letters`, `invoices`, in the languages of `locales`; how both become HTML: `html_pages`;
  names of plans and cards: `display_names`; `plain_text` cleans what others wrote
- how a step is run: `step` for its author, `running` for the rest; in which queue it waits: `queues`;
  how many run at once, and in which transactions: `slots`, `carrying`; failures of outside systems: `errors`;
  whether the order is to be cancelled: `cancellation`
- what is stalled or over: `sweep`, `trials`, `housekeeping`
- for people who operate it: `operating`, `ledger_check`, `reconciliation`, `personal_data`; for accountants: `closing`;
  `snapshot` for what reads a lot;
  for drills: `failure_points`
- what is plugged in: `ports` declares the outside services, `policy` the merchant's choices, `wiring` provides both
"""
