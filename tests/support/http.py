"""How tests talk to servers of their own."""

from typing import Final

import httpx

SOON_CLOSED: Final = httpx.Limits(keepalive_expiry=1)
"""a connection that was idle for a second is not used again: a test may be idle for just as long as a server keeps one open"""
