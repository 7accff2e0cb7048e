import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from api_fakes import Client
from vigie.api import Guard


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{len(await request.body())}")


def a_guarded_client(hosts: Iterable[str] = (), max_body_bytes: int = 100) -> Client:
    app = Starlette(routes=[Route("/", echo, methods=["GET", "POST"])])
    return Client(Guard(app, allowed_hosts=lambda: hosts, max_body_bytes=max_body_bytes))


def websocket(*headers: tuple[str, str]) -> list[dict[str, Any]]:
    """Return what the guard answers to a websocket that wants to connect."""
    sent: list[dict[str, Any]] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "headers": [(name.encode(), value.encode()) for name, value in headers]}
    asyncio.run(Guard(app)(scope, receive, send))  # type: ignore[arg-type]
    return sent


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1:9000", "[::1]:8080", "[::1]"])
def test_host_when_it_is_the_loopback_then_served(host: str) -> None:
    assert a_guarded_client().get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "10.0.0.1:8080", "", "[::1", "localhost@evil.example", "a b"]
)
def test_host_when_it_is_another_name_then_refused_with_the_value_seen(host: str) -> None:
    response = a_guarded_client().get("/", headers={"Host": host})

    assert response.status_code == 400
    assert repr(host) in response.json()["detail"]
    assert "expected one of 127.0.0.1, ::1, localhost; add a name under web.allowed_hosts" in response.json()["detail"]


def test_host_when_it_is_configured_then_served() -> None:
    response = a_guarded_client(["Vigie.Example"]).get("/", headers={"Host": "vigie.example:443"})

    assert response.status_code == 200


def test_host_when_given_twice_then_refused() -> None:
    response = a_guarded_client().get("/", headers=[("Host", "localhost"), ("Host", "evil.example")])

    assert response.status_code == 400


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://localhost:3000", "http://localhost", "http://[", "http://127.0.0.1:8080"],
)
def test_post_when_it_comes_from_a_page_of_another_origin_then_refused(origin: str) -> None:
    response = a_guarded_client().post("/", headers={"Origin": origin})

    assert response.status_code == 403
    assert "page of" in response.json()["detail"]


def test_post_when_it_comes_from_our_own_page_or_from_a_program_then_served() -> None:
    client = a_guarded_client()

    assert client.post("/", headers={"Origin": "http://localhost:8080"}).status_code == 200
    assert client.post("/").status_code == 200


def test_post_when_a_proxy_serves_the_page_under_a_configured_name_then_served() -> None:
    response = a_guarded_client(["vigie.example"]).post("/", headers={"Origin": "https://vigie.example"})

    assert response.status_code == 200


def test_post_when_a_browser_sends_no_origin_but_says_cross_site_then_refused() -> None:
    client = a_guarded_client()

    assert client.post("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.post("/", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200


def test_get_when_it_comes_from_another_origin_then_served_as_it_changes_nothing() -> None:
    assert a_guarded_client().get("/", headers={"Origin": "https://evil.example"}).status_code == 200


def test_websocket_when_it_comes_from_another_origin_then_closed_before_it_opens() -> None:
    sent = websocket(("host", "localhost:8080"), ("origin", "https://evil.example"))

    assert [message["type"] for message in sent] == ["websocket.close"]


def test_websocket_when_the_host_is_another_name_then_closed_before_it_opens() -> None:
    assert [message["type"] for message in websocket(("host", "evil.example"))] == ["websocket.close"]


def test_websocket_when_it_comes_from_our_own_page_then_opened() -> None:
    sent = websocket(("host", "localhost:8080"), ("origin", "http://localhost:8080"))

    assert [message["type"] for message in sent] == ["websocket.accept"]


def test_body_when_it_is_announced_too_large_then_refused_unread() -> None:
    response = a_guarded_client().post("/", content=b"x" * 101)

    assert response.status_code == 413
    assert "at most 100 bytes" in response.json()["detail"]
    assert response.headers["connection"] == "close"


def test_body_when_it_comes_in_chunks_and_grows_too_large_then_refused() -> None:
    async def chunks() -> Any:
        for _ in range(11):
            yield b"x" * 10

    assert a_guarded_client().post("/", content=chunks()).status_code == 413


def test_body_when_it_is_just_small_enough_then_served() -> None:
    assert a_guarded_client().post("/", content=b"x" * 100).text == "100"


@pytest.mark.parametrize("length", ["-1", "ten", "1e3", "9" * 5000])
def test_body_when_its_length_is_no_sensible_number_then_refused(length: str) -> None:
    response = a_guarded_client().post("/", headers={"Content-Length": length})

    assert response.status_code in {400, 413}


def test_response_when_served_then_browsers_are_told_to_be_careful() -> None:
    headers = a_guarded_client().get("/").headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "SAMEORIGIN"
