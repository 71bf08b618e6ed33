"""Where the payment provider sends its notifications to, and the header with their signature."""

WEBHOOK_PATH = "/v1/webhooks/stripe"
SIGNATURE_HEADER = "Stripe-Signature"
