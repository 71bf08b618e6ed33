"""Who did it: the user's name, or "operator" where the system has none for the number a container runs as."""

import getpass

import pytest

from worker.commands.operator import operator


def test_the_user_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "ada")
    assert operator() == "ada"


@pytest.mark.parametrize("error", [KeyError, OSError], ids=["until Python 3.12", "since"])
def test_a_user_without_a_name_is_the_operator(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def nobody() -> str:
        raise error("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert operator() == "operator"
