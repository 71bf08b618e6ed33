"""Who is at the keyboard, for what is written down as done by a person."""

import getpass


def operator() -> str:
    """The user's name; "operator" where it has none, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"
