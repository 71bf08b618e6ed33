"""VAT numbers and their registry, which is sometimes out of order. The rules of VAT are in `models.rules.vat`.

- in the step that collects payment: `vat_check`; what a number could do for an order that waits for a payment method: `number_instead`
- after the outage: `vat_follow_up` asks again, `vat_correction` charges what is owed after all, or credits it; `vat_at_bank` tells what of
  it the customer has back, from their bank or by the provider's dashboard; `unsent_letters` counts
  the tries of the letter about it; `due_times` tells when either is next
"""
