"""Fixtures for every test."""

pytest_plugins = [
    "tests.support.command",
    "tests.support.servers",
    "tests.support.stripe_stand_in",
    "tests.support.world",
    "tests.support.backup",
]
