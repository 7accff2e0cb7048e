"""Reading `vigie.toml`, then the environment, then flags; the only module that reads either."""

import difflib
import os
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from vigie.errors import SettingsError
from vigie.settings.models import PlacedError, Settings

FILE_NAME = "vigie.toml"
PREFIX = "VIGIE_"
RESERVED = {"VIGIE_PROJECT"}
_KEY = re.compile(r"""^\s*(?P<key>[A-Za-z0-9_-]+|"[^"]+"|'[^']+')\s*=""")
_TABLE = re.compile(r"^\s*(?P<open>\[\[?)\s*(?P<name>[^\]]+?)\s*\]")


def load(
    folder: Path, *, environment: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None
) -> Settings:
    """Read the settings of a project.

    Parameters
    ----------
    folder
        The project directory, which holds `vigie.toml`.
    environment
        ``VIGIE_SECTION__KEY=value`` overrides the file; the process's own environment when left out.
    flags
        Dotted names to values (``{"web.port": 9000}``); they override both.

    Raises
    ------
    SettingsError
        No such file, or something in it cannot be used: the message names key, value, expectation and line.
    """
    path = folder / FILE_NAME
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors of Windows begin with a mark
    except FileNotFoundError:
        raise SettingsError(
            f"there is no {FILE_NAME} in {folder.resolve()}; make a project with: vigie init {folder}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
    return parse(text, folder=folder, environment=os.environ if environment is None else environment, flags=flags)


def parse(
    text: str,
    *,
    folder: Path = Path(),
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """Read settings from the text of a `vigie.toml`; see `load`."""
    environment = environment or {}
    overrides = _from_environment(environment)
    try:
        tree = tomllib.loads(text)
        _apply(tree, overrides)
        _apply(tree, {tuple(name.split(".")): value for name, value in (flags or {}).items()})
        return Settings.model_validate({**_with_secrets(tree, folder, environment), "folder": folder.resolve()})
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{FILE_NAME} is not valid TOML: {error}") from error
    except ValidationError as error:
        raise SettingsError(_explain(error.errors()[0], text, overrides)) from error
    except RecursionError:
        raise SettingsError(f"{FILE_NAME} is nested too deeply") from None


def _from_environment(environment: Mapping[str, str]) -> dict[tuple[str, ...], Any]:
    found = {}
    for name, value in environment.items():
        if name.startswith(PREFIX) and name not in RESERVED:
            path = tuple(name.removeprefix(PREFIX).lower().split("__"))
            if path[0] not in Settings.model_fields or path == ("folder",):
                known = ", ".join(key for key in Settings.model_fields if key != "folder")
                raise SettingsError(
                    f"the environment sets {name}; expected {PREFIX}SECTION__KEY with a section of: {known}"
                )
            found[path] = _typed(value)
    return found


def _typed(value: str) -> Any:
    try:
        return tomllib.loads(f"x = {value}")["x"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return value


def _apply(tree: dict[str, Any], overrides: Mapping[tuple[str, ...], Any]) -> None:
    for path, value in overrides.items():
        table = tree
        for key in path[:-1]:
            table = table.setdefault(key, {})
            if not isinstance(table, dict):
                raise SettingsError(f"{'.'.join(path)} is set, but {key} is not a table in {FILE_NAME}")
        table[path[-1]] = value


def _with_secrets(value: Any, folder: Path, environment: Mapping[str, str]) -> Any:
    """Replace ``{ env = "NAME" }`` and ``{ file = "path" }`` by what they stand for, so that no secret is in the file."""
    if isinstance(value, list):
        return [_with_secrets(item, folder, environment) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"env"} and isinstance(value["env"], str):
        if value["env"] not in environment:
            raise SettingsError(
                f"{FILE_NAME} takes a value from the environment variable {value['env']}, which is not set"
            )
        return environment[value["env"]]
    if value.keys() == {"file"} and isinstance(value["file"], str):
        try:
            return (folder / value["file"]).read_text(encoding="utf-8-sig").strip()
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
            # Without the error itself, which holds what it could not read.
            raise SettingsError(
                f"{FILE_NAME} takes a value from {value['file']}, which cannot be read: {why}"
            ) from None
    return {key: _with_secrets(item, folder, environment) for key, item in value.items()}


def place(folder: Path, *location: str) -> str:
    """Return where to change a setting, as the end of a sentence: the line of `vigie.toml`, or the environment.

    Parameters
    ----------
    folder
        The project directory; its file is read again.
    location
        Keys from the outermost table on; where one is not written, the place is that of its table.
    """
    try:
        text = (folder / FILE_NAME).read_text(encoding="utf-8-sig")
        return _place(location, text, _from_environment(os.environ))
    except (OSError, ValueError):  # gone or unusable meanwhile: that has an error of its own
        return f"; change it in {FILE_NAME}"


def _place(location: Sequence[str | int], text: str, overrides: Collection[tuple[str, ...]]) -> str:
    if location in overrides:
        return f"; change {PREFIX}{'__'.join(map(str, location)).upper()} in the environment"
    line = _line_of(location, text)
    return f"; change it in {FILE_NAME}, line {line}" if line else f"; change it in {FILE_NAME}"


def _explain(error: ErrorDetails, text: str, overrides: Collection[tuple[str, ...]]) -> str:
    location = tuple(part for part in error["loc"] if part != "[key]")
    name = _dotted(location)
    cause = error.get("ctx", {}).get("error")
    where = _place(cause.location if isinstance(cause, PlacedError) else location, text, overrides)
    if error["type"] == "extra_forbidden":
        return f"{name} is no setting{_nearest(location)}{where}"
    if error["type"] == "missing":
        return f"{name} is missing{where}"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error":
        return f"{name + ': ' if name else ''}{message}{where}"
    expected = message.replace("Input should be", "expected").replace("input should be", "expected")
    return f"{name} is {error['input']!r:.80}; {expected[:1].lower()}{expected[1:]}{where}"


def _dotted(location: Sequence[str | int]) -> str:
    name = ""
    for part in location:
        name += f"[{part + 1}]" if isinstance(part, int) else f".{part}"
    return name.removeprefix(".")


def _nearest(location: Sequence[str | int]) -> str:
    model: Any = Settings
    for part in location[:-1]:
        model = _section(model, part)
    known = [key for key in getattr(model, "model_fields", {}) if key != "folder"]
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; expected one of {', '.join(known)}" if known else ""


def _section(model: Any, part: str | int) -> Any:
    if isinstance(part, int) or not hasattr(model, "model_fields") or part not in model.model_fields:
        return model
    annotation = model.model_fields[part].annotation
    inner = [
        kind for kind in getattr(annotation, "__args__", ()) if isinstance(kind, type) and issubclass(kind, BaseModel)
    ]
    return inner[-1] if inner else annotation


def _line_of(location: Sequence[str | int], text: str) -> int | None:
    """Return the line of the longest part of `location` that stands in the file, from 1."""
    wanted = [part for part in location if isinstance(part, str)]
    index = next((part for part in location if isinstance(part, int)), 0)
    table: list[str] = []
    seen: dict[str, int] = {}
    best, depth = None, 0
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _TABLE.match(line):
            table = [part.strip(" \"'") for part in header["name"].split(".")]
            if header["open"] == "[[":
                seen[header["name"]] = seen.get(header["name"], -1) + 1
            path = table
        elif key := _KEY.match(line):
            path = [*table, key["key"].strip("\"'")]
        else:
            continue
        off = table and table[0] in seen and seen[table[0]] != index
        if not off and len(path) > depth and wanted[: len(path)] == path:
            best, depth = number, len(path)
    return best
