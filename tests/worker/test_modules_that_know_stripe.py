"""docs/changing.md names every module that knows which payment provider it is: whoever builds in another one finds them all."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/changing.md").read_text().partition("\n## Add a payment provider\n")[2].partition("\n## ")[0]
ITS_OWN = ("worker/adapters", "api_stub/stand_ins")


def words(source: str) -> Iterator[str]:
    """Names and texts of the code; no docstring and no comment."""
    tree = ast.parse(source)
    prose = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        match node:
            case ast.Constant() if node in prose:
                pass
            case ast.Constant(str(text)) | ast.Name(text) | ast.Attribute(_, text) | ast.arg(text) | ast.alias(text):
                yield text
            case ast.FunctionDef(text) | ast.AsyncFunctionDef(text):
                yield text


def knowing_stripe() -> Iterator[Path]:
    for folder in ("models", "tasks", "worker", "api_stub"):
        for file in (ROOT / folder).rglob("*.py"):
            path = file.relative_to(ROOT)
            if not str(path).startswith(ITS_OWN) and any("stripe" in word.lower() for word in words(file.read_text())):
                yield path


def test_every_module_that_knows_stripe_is_named() -> None:
    places = list(knowing_stripe())
    assert Path("worker/settings.py") in places
    assert [str(path) for path in places if not any(f"`{name}`" in PAGE for name in (path, f"{path.parent}/"))] == []
