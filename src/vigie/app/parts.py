"""Building a source or a sink from its table in `vigie.toml`, where the signature of its class is the schema, and reading the rules."""

import difflib
import inspect
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError

from vigie import plugins
from vigie.errors import SettingsError, UnknownPartError
from vigie.parameters import call, flat
from vigie.quality.planning import Shares
from vigie.rules import Rules
from vigie.settings import Settings, load, place

PATHS = ("path", "dead_letters", "ca_file")
SECRETS = (".password", ".token")
"""Ends of settings whose values are in no error."""


OFFERED = {
    "sources": frozenset({"name", "owner", "inbox", "until_end", "instance", "max_message_bytes", "folder"}),
    "sinks": frozenset({"name", "owner", "checkpoints", "transactional_id", "folder"}),
    "classifiers": frozenset({"dimensions", "seed"}),
}
"""What Vigie has to hand for the parts of a family, so that it cannot be set."""


def build(
    family: str,
    kind: str,
    where: str,
    given: Mapping[str, Any],
    offered: Mapping[str, Any],
    *,
    where_to_change: Callable[[str], str] = lambda _key: "",
) -> Any:
    """Call the part `kind` of a family.

    Parameters
    ----------
    family, kind
        As in `plugins.load`.
    where
        The table's name (``sources.logs``), for error messages.
    given
        What the user wrote: every key must be a parameter of the part, or a field of one that is a bundle, of the right type.
    offered
        What Vigie has to hand: each part takes what it has parameters for; besides these ``owner``, which is `where`.
    where_to_change
        Says of a key in the table where to change it, as the end of a sentence.

    Raises
    ------
    SettingsError
        An unknown part or key, a missing key, or a value of the wrong type.
    """
    offered = {"owner": where, **offered}
    part, values = _checked(family, kind, where, given, offered.keys(), where_to_change=where_to_change)
    taken = flat(part)
    return call(part, {**values, **{name: value for name, value in offered.items() if name in taken}})


def read_settings(folder: Path, flags: Mapping[str, Any] | None = None) -> Settings:
    """Read `vigie.toml`, with the tables of sources, sinks and the classifier as their types want them.

    A type that needs a package which is not here is left to the role that uses it.

    Raises
    ------
    SettingsError
        As for `settings.load` and `build`.
    """
    settings = load(folder, flags=flags)
    tables = [("sources", one.type, ("sources", name), one.parameters) for name, one in settings.sources.items()]
    tables += [("sinks", one.type, ("sinks", name), one.parameters) for name, one in settings.sinks.items()]
    if settings.learning.parameters:
        learning = settings.learning
        tables.append(("classifiers", learning.classifier, ("learning", "parameters"), learning.parameters))
    for family, kind, location, given in tables:
        where_to_change = partial(place, settings.folder, *location)
        with suppress(ImportError):
            _checked(family, kind, ".".join(location), given, OFFERED[family], where_to_change=where_to_change)
    return settings


def in_folder(folder: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with relative paths seen from the project directory; ``-`` stays standard input or output."""
    return {
        name: str(folder / value) if name in PATHS and isinstance(value, str) and value != "-" else value
        for name, value in given.items()
    }


def database_url(url: str, folder: Path) -> str:
    """Return a database URL whose SQLite file is seen from the project directory."""
    scheme, separator, path = url.partition(":///")
    if separator and scheme.startswith("sqlite") and path and path != ":memory:" and not path.startswith("/"):
        return f"{scheme}:///{(folder / path).as_posix()}"
    return url


def suited(part: Any, offered: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the values that a part takes."""
    return {name: value for name, value in offered.items() if name in inspect.signature(part).parameters}


def encoder_source(source: str, folder: Path) -> str:
    """Return where an encoder comes from, a folder seen from the project directory; hub ids and ``default`` as they are."""
    return str((folder / source).resolve()) if (folder / source).is_dir() else source


def read_rules(settings: Settings) -> Rules:
    """Read the rules file of a project; where the settings name none, there need not be one.

    Raises
    ------
    SettingsError
        It is broken, or not there though the settings name it.
    """
    dimensions, path = settings.as_dimensions(), settings.folder / settings.rules.path
    if path.exists():
        return Rules.load(path, dimensions)
    if "path" in settings.rules.model_fields_set:
        raise SettingsError(
            f"rules.path is {settings.rules.path!r}, and there is no such file in {settings.folder}; "
            f"write one, or leave rules.path out{place(settings.folder, 'rules', 'path')}"
        )
    return Rules.empty(dimensions)


def _checked(
    family: str,
    kind: str,
    where: str,
    given: Mapping[str, Any],
    offered: Collection[str],
    *,
    where_to_change: Callable[[str], str],
) -> tuple[Any, dict[str, Any]]:
    """Return a part and the values of its parameters; arguments are those of `build`, but only the names of what is offered."""
    try:
        part = plugins.load(family, kind)
    except UnknownPartError as error:
        raise SettingsError(f"{where}.type: {error}{where_to_change('type')}") from error
    parameters = flat(part)
    own = [name for name in parameters if name not in offered]
    for name in given:
        if name not in own:
            nearest = _nearest(name, own)
            raise SettingsError(
                f"{where}.{name} is no setting of {family} of type {kind!r}{nearest}{where_to_change(name)}"
            )
    values = {
        name: _valid(f"{where}.{name}", value, parameters[name].annotation, partial(where_to_change, name))
        for name, value in given.items()
    }
    for name in own:
        if name not in values and parameters[name].default is inspect.Parameter.empty:
            raise SettingsError(f"{where}.{name} is missing; {family} of type {kind!r} need it{where_to_change(name)}")
    return part, values


def _valid(where: str, value: Any, kind: Any, where_to_change: Callable[[], str]) -> Any:
    try:
        adapter = TypeAdapter(
            Any if kind is inspect.Parameter.empty else kind, config=ConfigDict(arbitrary_types_allowed=True)
        )
    except PydanticSchemaGenerationError as error:
        raise SettingsError(f"{where} cannot be set{where_to_change()}") from error
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        expected = error.errors()[0]["msg"].replace("Input should be", "expected")
        if where.endswith(SECRETS):  # written without quotes, or a number in the environment
            kind = "a number" if isinstance(value, int | float) else "no text"
            seen, expected, cause = f"{kind}, not shown here", f"{expected}, in double quotes", None
        else:
            seen, cause = f"{value!r:.80}", error
        raise SettingsError(f"{where} is {seen}; {expected}{where_to_change()}") from cause


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; expected one of {', '.join(known)}"


def shares(settings: Settings) -> Shares:
    """Return how much is asked about once more, and why, as settings say."""
    quality = settings.quality
    return Shares(
        second=quality.second_annotator_share,
        gold=quality.gold_share,
        doubts=quality.doubts,
        too_fast_seconds=quality.too_fast_seconds,
        seed=settings.learning.seed,
    )
