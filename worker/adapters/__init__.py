"""The only importers of Stripe's, VIES' and SMTP's client libraries; their errors are translated here."""
