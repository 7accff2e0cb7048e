"""The limits of the house style that ruff cannot count."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SOURCE = ROOT / "src" / "vigie"
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50
MAX_PARAMETERS = 8
VAGUE = {"utils", "util", "helpers", "common", "core", "base", "misc", "manager"}

Function = ast.FunctionDef | ast.AsyncFunctionDef
FILES = sorted(path for path in SOURCE.rglob("*.py") if "migrations" not in path.parts)


def functions(text: str) -> list[Function]:
    return [node for node in ast.walk(ast.parse(text)) if isinstance(node, Function)]


def n_lines(function: Function) -> int:
    """Count the lines of a function without its docstring."""
    documented = ast.get_docstring(function) is not None
    docstring = (function.body[0].end_lineno or 0) - function.body[0].lineno + 1 if documented else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def parameters(function: Function) -> list[str]:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [argument.arg for argument in every if argument.arg not in {"self", "cls"}]


def faults(text: str) -> list[str]:
    found = [f"{text.count(chr(10))} lines"] if text.count("\n") > MAX_FILE_LINES else []
    for function in functions(text):
        if n_lines(function) > MAX_FUNCTION_LINES:
            found.append(f"{function.name}: {n_lines(function)} lines")
        if len(parameters(function)) > MAX_PARAMETERS:
            found.append(f"{function.name}: {len(parameters(function))} parameters")
        if not function.name.startswith("_") and ast.get_docstring(function) is None:
            found.append(f"{function.name}: no docstring")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_file_when_it_is_counted_then_it_is_within_the_limits(path: Path) -> None:
    assert faults(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_file_when_it_is_named_then_the_name_says_what_is_in_it(path: Path) -> None:
    assert not VAGUE & set(path.relative_to(SOURCE).with_suffix("").parts)


def test_tests_when_counted_then_there_are_as_many_lines_as_in_the_source() -> None:
    source = sum(path.read_text(encoding="utf-8").count("\n") for path in FILES)
    tests = sum(path.read_text(encoding="utf-8").count("\n") for path in (ROOT / "tests").rglob("*.py"))

    assert tests >= source


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("\n" * 401, "401 lines"),
        ("def f():\n" + "    pass\n" * 50, "f: 51 lines"),
        ("def f(a, b, c, d, *, e, f, g, h, i): ...\n", "f: 9 parameters"),
        ("async def f(): ...\n", "f: no docstring"),
        ("class A:\n    def f(self): ...\n", "f: no docstring"),
    ],
)
def test_faults_when_a_limit_is_passed_then_it_is_named(text: str, fault: str) -> None:
    assert fault in faults(text)


@pytest.mark.parametrize(
    "text",
    [
        "\n" * 400,
        'def f():\n    """Say.\n\n' + "    more\n" * 60 + '    """\n' + "    pass\n" * 49,
        "class A:\n    def _f(self, a, b, c, d, *, e, f, g, h): ...\n",
        'def f(*args, **kwargs):\n    """Say."""\n',
    ],
)
def test_faults_when_all_is_within_the_limits_then_there_are_none(text: str) -> None:
    assert faults(text) == []
