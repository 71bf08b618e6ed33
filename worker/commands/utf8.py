"""Arguments that are not UTF-8, as a terminal in Latin-1 hands over its letters: neither PostgreSQL nor Stripe would take them."""

import inspect
from collections.abc import Callable
from typing import Any

import typer

from worker.commands.options import not_blank

_Callback = Callable[[Any, Any, Any], Any]


def taking_utf8(command: Any) -> Any:
    """`command`, whose texts and those of its subcommands must be UTF-8. Not so what `not_blank` cleans, and names of files."""
    for each in getattr(command, "commands", {}).values():
        taking_utf8(each)
    for parameter in command.params:
        if parameter.callback is None or inspect.unwrap(parameter.callback) is not not_blank:
            parameter.callback = _checked(parameter.callback)
    return command


def _checked(then: _Callback | None) -> _Callback:
    def check(context: Any, parameter: Any, value: Any) -> Any:
        """Raises BadParameter."""
        for text in value if isinstance(value, list | tuple) else [value]:
            if isinstance(text, str) and (shown := text.encode("utf-8", "replace").decode()) != text:
                raise typer.BadParameter(f"{shown} is not UTF-8", ctx=context, param=parameter)
        return value if then is None else then(context, parameter, value)

    return check
