"""What a command's exit status says; docs/operations.md tells it to people."""

FAILED = 1
"""refused, or an answer that is bad news: the books differ, an order stays parked"""
WRONGLY_ASKED = 2
"""typer's own for a wrong word or option; ours for wrong settings, and for whatever is not there: an order, an account, a key, a document, a revision"""
NO_ANSWER = 3
"""something that is needed is away, in use or not set up: or not all could be written; whether there is bad news, nobody knows"""
INTERRUPTED = 130
