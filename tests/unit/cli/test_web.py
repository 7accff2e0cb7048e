import socket
import stat
import threading
from pathlib import Path

import pytest

from vigie.cli.web import check_host, cookie_secret, listen
from vigie.errors import SettingsError


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_check_host_when_only_this_machine_can_reach_it_then_fine(host: str) -> None:
    check_host(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.com", "", "localhost.example.com"])
def test_check_host_when_others_could_reach_it_then_refused_with_the_reason(host: str) -> None:
    with pytest.raises(SettingsError, match="expected an address only this machine can reach"):
        check_host(host)


def test_listen_when_the_port_is_free_then_connections_wait_there() -> None:
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname(), timeout=5):
        pass


def test_listen_when_the_port_is_in_use_then_says_what_to_do() -> None:
    with listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]

        with pytest.raises(SettingsError, match=f"port {port} of 127.0.0.1 is in use; .*--port N"):
            listen("127.0.0.1", port)


def test_cookie_secret_when_asked_again_then_it_is_the_same_and_the_owners_alone(tmp_path: Path) -> None:
    first = cookie_secret(tmp_path)

    assert len(first) > 30
    assert cookie_secret(tmp_path) == first
    (path,) = (tmp_path / ".vigie").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_cookie_secret_when_many_ask_at_once_then_all_get_the_same(tmp_path: Path) -> None:
    found: set[str] = set()
    barrier = threading.Barrier(8)

    def ask() -> None:
        barrier.wait()
        found.add(cookie_secret(tmp_path))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 1


def test_cookie_secret_when_the_folder_cannot_be_written_then_says_so(tmp_path: Path) -> None:
    (tmp_path / ".vigie").write_text("a file")

    with pytest.raises(SettingsError, match="must be writable"):
        cookie_secret(tmp_path)
