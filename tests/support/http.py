"""How tests talk to servers of their own."""

from typing import Final

import httpx

NO_REUSE: Final = httpx.Limits(max_keepalive_connections=0)
"""each request has a connection of its own: a test may be idle for just as long as a server keeps one open"""
