"""Hypothesis in two lengths: short and repeatable by default, ten thousand fresh examples a law with PRORATA_LONG=1."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("short", max_examples=60, deadline=None, derandomize=True)
settings.register_profile("long", max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("long" if os.environ.get("PRORATA_LONG") == "1" else "short")
