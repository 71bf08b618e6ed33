"""Fixtures for tests through the whole stack."""

from tests.support.stack import stack

__all__ = ["stack"]
