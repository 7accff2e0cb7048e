import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated

import pytest

from vigie.parameters import Bundle, call, flat, flattened

NO_LABELS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Login(Bundle):
    user: str
    token: Annotated[str, "secret"] = ""


@dataclass(frozen=True)
class Server(Bundle):
    url: str
    login: Login
    labels: Mapping[str, str] = field(default_factory=lambda: {"by": "test"})


@dataclass(frozen=True)
class Plain:
    user: str = "nobody"


def connect(name: str, server: Server, *, depth: int = 1) -> tuple[str, Server, int]:
    return name, server, depth


def test_flat_when_bundles_are_nested_then_their_fields_stand_in_their_place():
    assert list(flat(connect)) == ["name", "url", "user", "token", "labels", "depth"]


def test_flat_when_fields_have_types_and_defaults_then_they_are_those_of_the_parameters():
    found = flat(connect)

    assert found["token"].annotation == Annotated[str, "secret"]
    assert (found["token"].default, found["depth"].default) == ("", 1)
    assert found["labels"].default == {"by": "test"}
    assert found["user"].default is inspect.Parameter.empty


def test_flat_when_annotations_are_texts_then_they_are_evaluated():
    def later(login: "Login") -> None: ...

    assert flat(later)["user"].annotation is str


def test_flat_when_a_dataclass_is_no_bundle_then_it_stays_whole():
    def whole(plain: Plain = Plain()) -> None: ...

    assert flat(whole)["plain"].annotation is Plain


def test_flat_when_two_bundles_have_a_field_in_common_then_the_code_is_refused():
    def twice(user: int, login: Login) -> None: ...

    with pytest.raises(TypeError, match="two parameters called 'user'"):
        flat(twice)


def test_call_when_values_are_flat_then_bundles_are_made_and_what_is_left_out_has_its_default():
    name, server, depth = call(connect, {"name": "n", "url": "u", "user": "me", "depth": 3})

    assert (name, depth) == ("n", 3)
    assert server == Server("u", Login("me"), {"by": "test"})


def test_call_when_a_value_has_no_parameter_then_it_is_refused_and_not_dropped():
    with pytest.raises(TypeError, match="unexpected keyword argument 'usr'"):
        call(connect, {"name": "n", "url": "u", "user": "me", "usr": "you"})


def test_call_when_a_field_without_default_is_missing_then_it_is_named():
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'user'"):
        call(connect, {"name": "n", "url": "u"})


def test_call_when_values_were_used_then_they_are_as_before():
    values = {"name": "n", "url": "u", "user": "me"}
    call(connect, values)

    assert values == {"name": "n", "url": "u", "user": "me"}


def test_flattened_when_it_is_looked_at_then_its_signature_is_flat_and_calls_go_through():
    seen: list[Login] = []

    def command(login: Login, *, loud: bool = False) -> None:
        """Say who."""
        seen.append(login)

    shown = flattened(command)

    assert str(inspect.signature(shown)).startswith("(*, user: str, token: ")
    assert shown.__doc__ == "Say who."
    shown(user="me", token="t")
    assert seen == [Login("me", "t")]
