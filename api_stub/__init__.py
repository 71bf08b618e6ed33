"""The world outside: the upstream that submits orders, and stand-ins for the APIs we call."""
