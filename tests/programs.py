"""Running the real command line as a program, and looking at what it does."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psutil

from vigie.cli.web import listen

ROLES = {"web", "stream", "learner"}
T = TypeVar("T")
VIGIE = (sys.executable, "-m", "vigie")

ERRORS = [f"ERROR disk sd{letter} failed: input/output error {n}" for n, letter in enumerate("abcde")]
LINES = [*ERRORS, *(f"INFO user {n} logged in from 10.0.0.{n}" for n in range(5))]


def vigie(*arguments: object, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*VIGIE, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**clean_environment(), **environment},
    )


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("VIGIE_")}


def a_project(folder: Path, *lines: str) -> Path:
    """Make a project that reads `app.log`."""
    assert vigie("init", folder, "--template", "logs").returncode == 0
    (folder / "app.log").write_text("".join(f"{line}\n" for line in lines))
    settings = folder / "vigie.toml"
    text = settings.read_text().replace("[sources.http]", "[sources.app]")
    settings.write_text(text.replace('type = "http"', 'type = "files"\npath = "app.log"\nfollow = true'))
    return folder


@contextmanager
def running(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run a command in the background; whatever of it is left at the end is killed."""
    with subprocess.Popen(
        [*VIGIE, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=clean_environment(),
    ) as process:
        try:
            yield process
        finally:
            family = [*descendants(process.pid)]
            process.kill()
            for one in family:
                one.kill()


def descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def role_of(process: psutil.Process) -> str | None:
    try:
        words = process.cmdline()
    except psutil.Error:
        return None
    return next((word for word in words if word in ROLES), None)


def roles(pid: int) -> dict[str, psutil.Process]:
    return {role: process for process in psutil.Process(pid).children() if (role := role_of(process))}


def until(look: Callable[[], T], *, seconds: float = 120.0) -> T:
    """Look until there is something, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
    return found


def get(url: str) -> Any:
    """Return what a page answers; None while nobody does."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            body = response.read().decode()
    except (urllib.error.URLError, OSError):
        return None
    return json.loads(body) if response.headers.get_content_type() == "application/json" else body or None


def post(url: str, body: Mapping[str, Any] | list[Any]) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.loads(response.read())


def labelled(folder: Path) -> list[dict[str, Any]]:
    path = folder / "labelled.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def a_free_port() -> int:
    with listen("127.0.0.1", 0) as listening:
        return int(listening.getsockname()[1])
