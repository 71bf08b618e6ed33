"""Builders, fakes and running servers for the tests."""
