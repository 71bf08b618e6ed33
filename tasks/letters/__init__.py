"""What customers read: letters as text and HTML, why an amount is what it is, and why an order is refused or waits.

Pure: no database, no clock. A letter's content is made once, in the customer's language (`confirmation`, `trial_welcome`, ...);
`as_text` and `as_html` only lay it out, so that both say the same.
"""
