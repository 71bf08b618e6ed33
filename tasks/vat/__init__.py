"""VAT numbers and their registry, which is sometimes out of order. The rules of VAT are in `models.rules.vat`.

- in the step that collects payment: `vat_check`
- after the outage: `vat_follow_up` asks again, `vat_correction` charges what is owed after all, or credits it
"""
