"""Prorata compared with what it could have been built on, in one run, on the same servers: `make bench`.

Nothing here is a test or checks a limit: it measures, prints, and records. docs/performance.md interprets the figures.
"""
