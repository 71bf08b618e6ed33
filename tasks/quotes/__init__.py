"""What a cart costs, and whether it may be ordered: asked before the order, and again by its steps until it is charged.

- the price, or every reason against it: `quoting`; from which instant: `taking_effect`; a wish for a lower tier goes to support: `support_case`
- the same cart again, from an order's lines: `ordered_cart`
- no longer as quoted: `what_changed`, `fresh_quote` (the customer must confirm), `rejection` (it may no longer be ordered)
- a VAT number that counts for nothing, because its registry gave no answer: `number_set_aside`
"""
