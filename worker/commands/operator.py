"""Who is at the keyboard and why, for what is written down as done by a person."""

import getpass

import typer


def operator() -> str:
    """The user's name, which in our container is "prorata" for everybody (`--by` says who); "operator" where there is none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"


def not_blank(text: str) -> str:
    """For a reason that has to be given. Raises BadParameter."""
    if not text.strip():
        raise typer.BadParameter("must not be blank")
    return text
