"""Options that several commands take: who acts and why, for what is recorded as done by a person, and the answer as JSON."""

import getpass
from typing import Annotated

import typer


def _user_name() -> str:
    """In our container it is "prorata" for everybody (`--by` says who); "operator" where there is none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"


def not_blank(text: str | None) -> str | None:
    """Raises BadParameter."""
    if text is not None and not text.strip():
        raise typer.BadParameter("must not be blank")
    return text


AsJson = Annotated[bool, typer.Option("--json", help="for programs")]
By = Annotated[
    str,
    typer.Option(
        help="who does it, for the record",
        default_factory=_user_name,
        show_default="your user name",
        callback=not_blank,
    ),
]
Why = Annotated[str, typer.Option(help="the reason, for the record", show_default=False, callback=not_blank)]
WhyIfKnown = Annotated[
    str | None, typer.Option("--why", help="the reason, for the record", show_default=False, callback=not_blank)
]
