"""Names and first words: a class name means one class in the whole project, and a docstring says at once what it is."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tagstream.settings import REPOSITORY

PACKAGES = ("tagstream", "ingest", "workers", "search", "training", "ops")
# A noun phrase (module, class) or a verb (function) opens a docstring; such a clause keeps the reader waiting.
CLAUSE = re.compile(r"(What|How|Which|Where|When)(ever)?\b")

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def modules(package: str) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted((REPOSITORY / package).rglob("*.py")):
        yield path.relative_to(REPOSITORY), ast.parse(path.read_text(encoding="utf-8"))


def public(node: Documented) -> Iterator[Documented]:
    """The node, and every class and function in it that others may use."""
    yield node
    if isinstance(node, ast.Module | ast.ClassDef):
        for child in node.body:
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and child.name[0] != "_":
                yield from public(child)


def test_a_class_name_means_one_class() -> None:
    places = defaultdict(list)
    for package in PACKAGES:
        for path, module in modules(package):
            for node in ast.walk(module):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places[node.name].append(f"{path}:{node.lineno}")
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_docstring_opens_with_a_noun_or_a_verb(package: str) -> None:
    clauses = [
        f"{path}:{getattr(node, 'lineno', 1)}: {text.splitlines()[0]}"
        for path, module in modules(package)
        for node in public(module)
        if CLAUSE.match(text := ast.get_docstring(node) or "")
    ]
    assert clauses == []
