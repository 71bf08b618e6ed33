"""A newcomer looks for a module in the docstring of its package."""

import pkgutil
import re
from types import ModuleType

import pytest

import models
import tasks
from models.states import Step


@pytest.mark.parametrize("package", [models, tasks], ids=lambda package: package.__name__)
def test_the_packages_docstring_says_where_each_module_belongs(package: ModuleType) -> None:
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)} - set(Step) - {"migrations"}
    told = set(re.findall(r"`(\w+)`", package.__doc__ or ""))
    assert modules <= told
    assert told <= modules | set(Step), "a module that is no more"
