"""`prorata demo`: sample orders placed over HTTP, followed, and held against what must come of them."""

from api_stub.demo.command import demo

__all__ = ["demo"]
