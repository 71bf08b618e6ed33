"""Prorata under one kind of load each: `python -m benchmarks scenario NAME`."""
