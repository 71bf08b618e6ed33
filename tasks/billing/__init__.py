"""Invoices and credit notes as rows, written in the transaction of what they document. `tasks.invoices` lays them out.

- `invoicing` issues and reverses an order's invoice; `documents` numbers and inserts a document, `invoice_lines` has its lines
- who charged what a line credits, and whose VAT that was: `credited`
- invoices that are paid by transfer: `receivables`, and after all not: `unpaid`
- documents that are not here although their numbers were given: `lost_documents`
- attached to a letter: `attachments`
"""
