"""Who may import whom: the contracts hold, and each of them notices an import that it forbids."""

import re
import tomllib
from collections.abc import Sequence
from copy import deepcopy
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp
import pytest
from importlinter import api
from importlinter.contracts.acyclic_siblings import AcyclicSiblingsContract
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.layers import LayersContract

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
CONFIGURATION = api.read_configuration(str(PYPROJECT))
KINDS = {kind.type_name: kind for kind in (AcyclicSiblingsContract, ForbiddenContract, LayersContract)}
CONTRACTS = {
    options["name"]: KINDS[options["type"]](options["name"], CONFIGURATION["session_options"], options)
    for options in CONFIGURATION["contracts_options"]
}

INWARD = "Imports point inward: api_stub -> worker -> tasks -> models -> models.rules"
RULES = "The rules know nothing but rules"
MODELS = "Models know SQLAlchemy, and nothing that calls, publishes or shows"
ADAPTERS = "Only the adapters know Stripe, HTTP and SMTP"
WORKER = "Of the worker, only the adapters know Stripe and SMTP"
UPSTREAM = "Of the upstream, only the stand-ins know Stripe"
CIRCLES = "No circles among the packages and modules of one folder"

MODELS_MAY_IMPORT = {"sqlalchemy", "alembic", "uuid6", "stdnum", "tzdata"}
"""of the distributions that Prorata depends on"""


IMPORTS = [
    ("models.orders", "tasks.sweep", [INWARD]),
    ("models.states", "models.orders", [CIRCLES]),
    ("tasks.quotes.quoting", "tasks.vat.vat_check", [CIRCLES]),
    ("models.orders", "celery", [MODELS]),
    ("models.orders", "babel", [MODELS]),
    ("models.orders", "psycopg", [MODELS, ADAPTERS]),
    ("models.orders", "socket", [ADAPTERS]),
    ("models.rules.money", "models.states", [RULES]),
    ("models.rules.money", "sqlalchemy", [RULES]),
    ("models.rules.money", "socket", [RULES, ADAPTERS]),
    ("models.rules.money", "time", [RULES]),
    ("models.rules.money", "yaml", [MODELS]),
    ("models.rules.money", "requests", [MODELS, ADAPTERS]),
    ("tasks.sweep", "worker.settings", [INWARD]),
    ("tasks.sweep", "stripe", [ADAPTERS]),
    ("tasks.sweep", "requests", [ADAPTERS]),
    ("worker.relay", "api_stub.app", [INWARD]),
    ("worker.relay", "stripe", [WORKER]),
    ("worker.relay", "requests", [WORKER]),
    ("worker.adapters.smtp", "stripe", []),
    ("api_stub.routes.orders", "stripe", [UPSTREAM]),
    ("api_stub.stand_ins.vies.register", "stripe", [UPSTREAM]),
    ("api_stub.stand_ins.stripe.app", "stripe", []),
]
"""importer, imported, and the contracts that this breaks"""


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return grimp.build_graph(
        *CONFIGURATION["session_options"]["root_packages"], include_external_packages=True, cache_dir=None
    )


def broken(imports: grimp.ImportGraph, *added: tuple[str, str]) -> list[str]:
    """The contracts that are broken once these imports (importer, imported) are added."""
    graph = deepcopy(imports)
    for importer, imported in added:
        assert importer in graph.modules, importer
        if imported not in graph.modules:
            graph.add_module(imported, is_squashed=True)
        graph.add_import(importer=importer, imported=imported)
    return [name for name, contract in CONTRACTS.items() if not contract.check(deepcopy(graph), verbose=False).kept]


def test_every_contract_is_kept(imports: grimp.ImportGraph) -> None:
    assert broken(imports) == []


@pytest.mark.parametrize(("importer", "imported", "contracts"), IMPORTS)
def test_an_import_that_is_forbidden_is_noticed(
    imports: grimp.ImportGraph, importer: str, imported: str, contracts: Sequence[str]
) -> None:
    assert broken(imports, (importer, imported)) == contracts


def test_each_contract_is_seen_broken_above() -> None:
    assert {name for _, _, contracts in IMPORTS for name in contracts} == CONTRACTS.keys()


def test_of_what_prorata_depends_on_models_import_only_what_is_named_here(imports: grimp.ImportGraph) -> None:
    """So a new dependency is either put into the contract or, on purpose, here."""
    declared = tomllib.loads(PYPROJECT.read_text())["project"]["dependencies"]
    depends_on = {_normal(re.split(r"[^\w.-]", each)[0]) for each in declared}
    names = {
        name
        for name, distributions in packages_distributions().items()
        if not name.startswith("_") and depends_on & {_normal(each) for each in distributions}
    }
    assert names > MODELS_MAY_IMPORT
    unnoticed = {name for name in names if MODELS not in broken(imports, ("models.orders", name))}
    assert unnoticed == MODELS_MAY_IMPORT


def _normal(distribution: str) -> str:
    return distribution.lower().replace("_", "-")
