"""Stand-in for VIES, the European Commission's register of VAT numbers: its REST service with the real paths and shapes.

Covered: `POST check-vat-number`, `GET check-status`, every published way of being unavailable, consultation numbers, and a
register that can be written to.
Faults (`POST /_control/faults`): every code of `answers.py`, and http_500, http_503, hang, slow, reset, html, truncated;
each with `times`, `country`, `number`, `seconds`.
Not covered: the service for tests (`check-vat-test-service`), matching of trader details (always NOT_PROCESSED), the batch and
the SOAP interface, request quotas.
"""
