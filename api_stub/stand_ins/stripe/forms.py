"""Stripe's form encoding: `metadata[order]=1`, `expand[]=a`, `expand[0]=a`, `shipping[address][city]=x`."""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from api_stub.stand_ins.stripe.errors import malformed

Tree = dict[str, Any]

_KEY = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")


def parse(encoded: str) -> Tree:
    """Nested dicts of strings; lists where every key of a level is a number or empty."""
    tree: Tree = {}
    for key, value in parse_qsl(encoded, keep_blank_values=True):
        match = _KEY.match(key)
        if match is None:
            raise malformed(f"Received unknown parameter: {key}", code="parameter_unknown", param=key)
        _insert(tree, [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])], value, key)
    return {name: _with_lists(value) for name, value in tree.items()}


def _insert(tree: Tree, path: list[str], value: str, key: str) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(_index(tree, name), {})
        if not isinstance(tree, dict):
            raise malformed(f"Invalid object: {key}", param=key)
    tree[_index(tree, path[-1])] = value


def _index(tree: Tree, name: str) -> str:
    return name if name else str(len(tree))


def _with_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and _are_indices(value):
        return [_with_lists(value[name]) for name in sorted(value, key=int)]
    return {name: _with_lists(child) for name, child in value.items()}


def _are_indices(names: Iterable[str]) -> bool:
    return all(name.isdecimal() for name in names)
