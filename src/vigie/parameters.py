"""Bundles of parameters: what people set stays flat, what the code hands on stays short.

A source with twenty settings, or a command with as many options, has a few parameters, some of them bundles. A user of it
writes the fields of the bundles beside the other settings, in one table or on one command line.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from inspect import Parameter
from typing import Any


class Bundle:
    """A frozen dataclass of this kind stands for its fields wherever it is the type of a parameter."""

    __slots__ = ()


def flat(function: Callable[..., Any]) -> dict[str, Parameter]:
    """Return the parameters of a function or class by name, the fields of a bundle in its place; all are keyword-only.

    Raises
    ------
    TypeError
        Two have one name.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Login(Bundle):
    ...     user: str
    ...     token: str = ""
    >>> def source(url: str, login: Login, *, depth: int = 1) -> None: ...
    >>> list(flat(source))
    ['url', 'user', 'token', 'depth']
    """
    found: dict[str, Parameter] = {}
    for parameter in _own(function):
        inner = flat(parameter.annotation) if is_bundle(parameter) else {parameter.name: parameter}
        for name in inner.keys() & found.keys():
            raise TypeError(f"{function} has two parameters called {name!r}")
        found |= inner
    return found


def call(function: Callable[..., Any], values: Mapping[str, Any]) -> Any:
    """Call a function or class with flat values; the bundles among its parameters are made of those of their fields."""
    given = dict(values)
    for parameter in _own(function):
        if is_bundle(parameter):
            names = flat(parameter.annotation).keys() & given.keys()
            given[parameter.name] = call(parameter.annotation, {name: given.pop(name) for name in names})
    return function(**given)


def flattened(function: Callable[..., None]) -> Callable[..., None]:
    """Return the same function with flat parameters, for who looks at its signature."""

    @functools.wraps(function)
    def called(**values: Any) -> None:
        """Make the bundles and call the function with them."""
        call(function, values)

    called.__dict__["__signature__"] = inspect.Signature(list(flat(function).values()))
    return called


def is_bundle(parameter: Parameter) -> bool:
    """Tell whether a parameter stands for the fields of its type."""
    kind = parameter.annotation
    return inspect.isclass(kind) and issubclass(kind, Bundle)


def _own(function: Callable[..., Any]) -> list[Parameter]:
    """Return the parameters as they are written, annotations evaluated, and defaults made where a field has a factory for them."""
    made = {
        field.name: field.default_factory()
        for field in (fields(function) if is_dataclass(function) else ())
        if field.default_factory is not MISSING
    }
    return [
        parameter.replace(kind=Parameter.KEYWORD_ONLY, default=made.get(parameter.name, parameter.default))
        for parameter in inspect.signature(function, eval_str=True).parameters.values()
    ]
