"""A YAML file written by a person: read so that every complaint names its line, and as many as a person reads are listed at once."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import yaml
from yaml.nodes import MappingNode, Node, SequenceNode

from models.errors import Explained
from tasks.plain_text import one_line
from worker.loading import readable_values
from worker.loading.readable_values import described

Given = ParamSpec("Given")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    line: int
    """0: the file as a whole"""
    reason: str

    def where(self) -> str:
        return f":{self.line}" if self.line else ""


MOST_TOLD = 100
"""problems; a file that is quite another one may have one in each of its lines"""


class FileRefused(Explained):
    """The file cannot be loaded as it is; nothing of it was. The message lists the first problems, each with its line, and counts the others."""

    def __init__(self, file: Path, problems: Collection[Problem]) -> None:
        self.problems = sorted(set(problems))
        told = [f"{file}{problem.where()}: {one_line(problem.reason)}" for problem in self.problems[:MOST_TOLD]]
        more = len(self.problems) - len(told)
        super().__init__("\n".join([*told, *([f"and {more} more"] if more else [])]))


class Fields(dict[str, "Place"]):
    """The known keys that a mapping gives, each with its place."""

    def value(
        self, name: str, reader: Callable[Concatenate[Node, Given], Value], *args: Given.args, **kwargs: Given.kwargs
    ) -> Value | None:
        """What is at `name`, as `reader` (one of `readable_values`) sees it; None where it is wrong or not given."""
        return self[name].read(reader, *args, **kwargs) if name in self else None


@dataclass(slots=True)
class Place:
    """One value in the file: its node, its name, and the list that collects its problems."""

    node: Node
    name: str
    problems: list[Problem] = field(repr=False)
    key: Node | None = None
    """the node of its key, where it has one"""

    @property
    def line(self) -> int:
        return int((self.key or self.node).start_mark.line) + 1

    def wrong(self, reason: str) -> None:
        self.problems.append(Problem(self.line, f"{self.name}: {reason}" if self.name else reason))

    def read(
        self, reader: Callable[Concatenate[Node, Given], Value], *args: Given.args, **kwargs: Given.kwargs
    ) -> Value | None:
        """The value as `reader` sees it, None where that is wrong."""
        try:
            return reader(self.node, *args, **kwargs)
        except ValueError as error:
            self.wrong(str(error))
            return None

    def entries(self, key_reader: Callable[[Node], str] = readable_values.text) -> dict[str, Place]:
        """A mapping's values by key; a key that is wrong, or stands there twice, is left out."""
        if not isinstance(self.node, MappingNode):
            self.wrong(f"must be a mapping, is {described(self.node)}")
            return {}
        found: dict[str, Place] = {}
        for key, value in self.node.value:
            name = Place(key, self.name, self.problems).read(key_reader)
            if name is None:
                continue
            place = Place(value, f"{self.name}.{name}" if self.name else name, self.problems, key)
            if name in found:
                place.wrong(f"is listed twice, first in line {found[name].line}")
            else:
                found[name] = place
        return found

    def fields(self, *, required: Collection[str] = (), optional: Collection[str] = ()) -> Fields:
        """A mapping with known keys; unknown and missing ones are complained of, an empty value counts as not given."""
        known = [*required, *optional]
        given = self.entries()
        for name, place in given.items():
            if name not in known:
                place.wrong(f"unknown key; known are {', '.join(known)}")
        found = Fields(
            (name, place) for name, place in given.items() if name in known and not readable_values.is_empty(place.node)
        )
        if isinstance(self.node, MappingNode):
            for name in required:
                if name not in found:
                    self.wrong(f"{name} is missing")
        return found

    def items(self) -> list[Place]:
        """A list's values, named by their number."""
        if not isinstance(self.node, SequenceNode):
            self.wrong(f"must be a list, is {described(self.node)}")
            return []
        return [Place(node, f"{self.name}[{number}]", self.problems) for number, node in enumerate(self.node.value, 1)]


STDIN = Path("/dev/stdin")
LONGEST = 4 * 2**20
"""bytes; more than 10,000 accounts"""


class _AliasFound(Exception):
    """The file repeats a part of itself by a name, in this line."""

    def __init__(self, line: int) -> None:
        self.line = line
        super().__init__(line)


class _Loader(yaml.SafeLoader):
    """Without aliases: a few lines could stand for any number, and all of them would be read, checked and loaded."""

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        if self.check_event(yaml.AliasEvent):
            raise _AliasFound(self.peek_event().start_mark.line + 1)  # type: ignore[no-untyped-call]
        return super().compose_node(parent, index)


def _content(file: Path) -> bytes:
    """Of a longer one only so much that this shows.

    Standard input is read by its descriptor: a socket, or a pipe that another user made (a container's engine), cannot be opened as /dev/stdin.
    """
    if file == STDIN:
        with open(0, "rb", closefd=False) as given:
            return given.read(LONGEST + 1)
    with file.open("rb") as opened:
        return opened.read(LONGEST + 1)


def read(file: Path) -> Place:
    """The file's only document. Raises FileRefused where it cannot be read at all."""
    try:
        content = _content(file)
        if len(content) > LONGEST:
            too_long = f"is longer than {LONGEST // 2**20} MiB; split it, accounts may be loaded from several files"
            raise FileRefused(file, [Problem(0, too_long)])
        node = yaml.compose(content.decode("utf-8"), Loader=_Loader)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise FileRefused(file, [Problem(0, f"cannot be read: {reason}")]) from None
    except _AliasFound as error:
        alias = "aliases (*name) are not accepted: write out what it stands for"
        raise FileRefused(file, [Problem(error.line, alias)]) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise FileRefused(
            file, [Problem(mark.line + 1 if mark else 1, f"not YAML: {error.problem or error.context}")]
        ) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise FileRefused(file, [Problem(1, f"not YAML: {error}")]) from None
    if node is None:
        raise FileRefused(file, [Problem(1, "is empty")])
    return Place(node, "", [])
