"""Requests held against the SDK's own parameter types, so that a typo fails here as it fails at Stripe.

Stripe's enums are closed although the SDK types them as `Literal[...] | str`; here they are closed too.
"""

import re
import types
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from stripe import RequestOptions, StripeObject

from api_stub.stand_ins.stripe.errors import malformed

_INTEGER = re.compile(r"^-?\d{1,18}$")


def check(params: Mapping[str, Any], type_: type) -> dict[str, Any]:
    """The parameters with numbers and booleans read. Raises ApiError as Stripe would; nothing has begun then."""
    if "payment_method_types" in params and "allowed_payment_method_types" in _hints(type_):
        name = "payment_method_types"
        raise malformed(f"`{name}` is no longer supported.", code=f"{name}_no_longer_supported", param=name)
    checked = _fields(params, type_, "")
    _check_metadata(checked.get("metadata"))
    return checked


@cache
def _hints(type_: type) -> dict[str, Any]:
    hints = get_type_hints(type_, localns={"StripeContext": str, "Mapping": Mapping})
    return {name: hint for name, hint in hints.items() if name not in RequestOptions.__annotations__}


def _fields(params: Mapping[str, Any], type_: type, prefix: str) -> dict[str, Any]:
    hints = _hints(type_)
    for name in params:
        if name not in hints:
            path = _path(prefix, name)
            raise malformed(f"Received unknown parameter: {path}", code="parameter_unknown", param=path)
    for name in sorted(type_.__required_keys__ & hints.keys()):  # type: ignore[attr-defined]
        if params.get(name, "") == "":
            path = _path(prefix, name)
            raise malformed(f"Missing required param: {path}.", code="parameter_missing", param=path)
    return {name: _value(value, hints[name], _path(prefix, name)) for name, value in params.items()}


def _path(prefix: str, name: str) -> str:
    return f"{prefix}[{name}]" if prefix else name


def _value(value: Any, hint: Any, path: str) -> Any:
    origin = get_origin(hint)
    if origin is Union or origin is types.UnionType:
        return _one_of(value, get_args(hint), path)
    if origin is Literal:
        return _choice(value, get_args(hint), path)
    if origin is list:
        return _list(value, get_args(hint)[0], path)
    if origin is dict:
        return _mapping(value, path)
    if isinstance(hint, type) and hasattr(hint, "__required_keys__"):
        if not isinstance(value, dict):
            raise malformed("Invalid object", param=path)
        return _fields(value, hint, path)
    return _scalar(value, hint, path)


def _one_of(value: Any, hints: tuple[Any, ...], path: str) -> Any:
    choices = [choice for hint in hints if get_origin(hint) is Literal for choice in get_args(hint)]
    if value == "" and "" in choices:
        return ""
    shaped = [hint for hint in hints if _fits_shape(value, hint)]
    if any(choices) and str in shaped:
        return _choice(value, tuple(choices), path, tuple(hint for hint in shaped if hint is bool))
    if not shaped:
        raise malformed(f"Invalid value for {path}", param=path)
    return _value(value, shaped[0], path)


def _fits_shape(value: Any, hint: Any) -> bool:
    origin = get_origin(hint) or hint
    if isinstance(origin, type) and issubclass(origin, StripeObject):
        return False
    if isinstance(value, list):
        return origin is list
    if isinstance(value, dict):
        return origin is dict or hasattr(origin, "__required_keys__")
    return (
        origin is not list and origin is not dict and origin is not Literal and not hasattr(origin, "__required_keys__")
    )


def _choice(value: Any, choices: tuple[Any, ...], path: str, others: tuple[Any, ...] = ()) -> Any:
    if value in choices:
        return value
    if others:
        return _value(value, others[0], path)
    listed = ", ".join(str(choice) for choice in choices if choice)
    raise malformed(f"Invalid {path}: must be one of {listed}", param=path)


def _list(value: Any, item: Any, path: str) -> list[Any]:
    if value == "":
        return []
    if not isinstance(value, list):
        raise malformed("Invalid array", param=path)
    return [_value(element, item, f"{path}[{index}]") for index, element in enumerate(value)]


def _mapping(value: Any, path: str) -> dict[str, str]:
    if isinstance(value, list):  # keys that happen to be numbers
        value = {str(index): element for index, element in enumerate(value)}
    if not isinstance(value, dict) or not all(isinstance(element, str) for element in value.values()):
        raise malformed("Invalid object", param=path)
    return dict(value)


def _scalar(value: Any, hint: Any, path: str) -> Any:
    if not isinstance(value, str):
        raise malformed(f"Invalid string: {path}", param=path)
    if hint is bool:
        if value not in {"true", "false"}:
            raise malformed(f"Invalid boolean: {value}", param=path)
        return value == "true"
    if hint is int:
        if not _INTEGER.match(value):
            raise malformed(f"Invalid integer: {value}", code="parameter_invalid_integer", param=path)
        return int(value)
    return value


def _check_metadata(metadata: Any) -> None:
    if not isinstance(metadata, dict):
        return
    if len(metadata) > 50:
        raise malformed("Metadata can have up to 50 keys", param="metadata")
    for name, value in metadata.items():
        if len(name) > 40 or len(value) > 500:
            raise malformed("Metadata keys can be up to 40 characters, values up to 500", param=f"metadata[{name}]")
