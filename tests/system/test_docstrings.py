"""Public functions say what they take, and what they raise."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TypeAlias

import pytest

from source_tree import PACKAGES, ROOT

FILES = [
    path.relative_to(ROOT).as_posix()
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
]
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


def _public_functions(tree: ast.AST, within: str = "") -> Iterator[tuple[str, _Function]]:
    """Functions and methods that others may call, with their dotted names."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            if not node.name.startswith("_"):
                yield from _public_functions(node, f"{within}{node.name}.")
        elif isinstance(node, _FUNCTIONS) and (
            not node.name.startswith("_") or node.name == "__init__"
        ):
            yield f"{within}{node.name}", node


def _parameters(function: _Function) -> int:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    starred = [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
    return sum(each.arg not in ("self", "cls") for each in (*named, *starred))


def _raises(function: _Function) -> bool:
    """Whether it raises something itself, other than what it has just caught."""
    nodes: list[ast.AST] = list(function.body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Raise) and node.exc is not None:
            return True
        if not isinstance(node, (*_FUNCTIONS, ast.ClassDef, ast.Lambda)):
            nodes += ast.iter_child_nodes(node)
    return False


def _is_overload(function: _Function) -> bool:
    return any(
        isinstance(each, ast.Name) and each.id == "overload" for each in function.decorator_list
    )


def incomplete(source: str) -> list[str]:
    """The public functions whose docstrings lack a section that they need."""
    found = []
    for name, function in _public_functions(ast.parse(source)):
        told = ast.get_docstring(function)
        # An __init__ may be described by its class, and an overriding method by what it overrides.
        if told is None or _is_overload(function):
            continue
        if _parameters(function) >= 2 and "Args:" not in told:
            found.append(f"{name} without Args")
        if _raises(function) and "Raises:" not in told:
            found.append(f"{name} without Raises")
    return found


@pytest.mark.parametrize("file", FILES)
def test_public_functions_say_what_they_take_and_raise(file: str) -> None:
    assert incomplete((ROOT / file).read_text(encoding="utf-8")) == []


def test_what_lacks_is_seen() -> None:
    source = '''
def both(a, b):
    """One line."""
    raise ValueError
def one(a):
    """One line."""
class Public:
    def method(self, a, *, b):
        """Does.

        Args:
            a: one.
            b: other.
        """
    def _private(self, a, b):
        """No matter."""
        raise ValueError
'''
    assert incomplete(source) == ["both without Args", "both without Raises"]
