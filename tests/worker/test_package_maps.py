"""A newcomer looks for a module in the docstring of its package."""

import pkgutil
import re
from importlib import import_module

import pytest

from models.states import Step

OF_TASKS = ("billing", "charges", "closing", "mail", "operating", "quotes", "refunds", "running", "upstream", "vat")
PACKAGES = (
    *("models", "tasks", "worker", "api_stub"),
    *(f"tasks.{package}" for package in OF_TASKS),
    *("worker.loading", "api_stub.edge", "api_stub.problems", "api_stub.views"),
)


@pytest.mark.parametrize("name", PACKAGES)
def test_the_packages_docstring_says_where_each_module_belongs(name: str) -> None:
    package = import_module(name)
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)} - set(Step) - {"migrations"}
    told = set(re.findall(r"`(\w+)`", package.__doc__ or ""))
    assert modules <= told
    assert told <= modules | set(Step), "a module that is no more"
