"""What an accountant asks for at the end of a month; it only reads.

- VAT: `documents` tells each document's net and VAT by state, rate and treatment, which `shares` divides; `sums` adds them up
- income that belongs to later months: `document_lines` tells the period of each charge and credit
- an archive: `document_pdfs` makes the PDFs anew that customers got
- the one-stop shop: `one_stop_shop` tells a quarter's sales from what corrects earlier ones, `quarters` says what a quarter is
- what customers owe by transfer, and for how long: `open_invoices`; what the seller owes to them: `balances`
"""
