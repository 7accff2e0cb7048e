"""The pages over fake services, served from a thread of this process, for a browser to look at."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI

from web_fakes import FakeServices


class Stage:
    """Services that a test can exchange while the server runs: `stage.services = FakeServices(…)`."""

    def __init__(self) -> None:
        self.services = FakeServices()
        self.url = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.services, name)

    def status(self) -> dict[str, Any]:
        return self.services.status()


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served() -> Iterator[Stage]:
    """Serve the pages until the block ends; one such server per process, since NiceGUI has one application."""
    from vigie.web import install

    stage, app = Stage(), FastAPI()

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    install(app, stage, secret="for tests")
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=free_port(), log_level="warning"))
    thread = threading.Thread(target=server.run, name="pages", daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    stage.url = f"http://127.0.0.1:{server.config.port}"
    yield stage
    server.should_exit = True
    thread.join(timeout=15)
