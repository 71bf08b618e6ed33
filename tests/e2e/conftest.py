"""Fixtures for tests through the whole stack."""

from tests.support.stack import outside, stack

__all__ = ["outside", "stack"]
