"""Prorata held against what it could have been built on, in one run, on the same servers: `make bench`.

Nothing here is a test and nothing here knows a limit: it measures, prints, and writes down. docs/performance.md reads the figures.
"""
