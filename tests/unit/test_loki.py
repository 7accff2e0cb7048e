import ipaddress
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from loki_server import QUERY, LokiServer
from vigie.errors import SettingsError, UnavailableError
from vigie.loki import Access, retry_after, shortened
from vigie.sources.loki import LokiSource, Watch

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 1.0),
        ("3", 3.0),
        ("0.5", 0.5),
        ("0", 0.1),
        ("-5", 0.1),
        ("100000", 300.0),
        ("nan", 1.0),
        ("inf", 300.0),
        ("soon", 1.0),
        ("Sat, 21 Nov 2026 12:00:20 GMT", 20.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.1),
        ("Sat, 21 Nov 2026 11:00:00", 1.0),
    ],
)
def test_retry_after_when_a_server_says_when_then_that_is_kept_in_bounds(value: str | None, seconds: float) -> None:
    assert retry_after(value, now=NOW) == seconds


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, SettingsError), (403, SettingsError), (404, SettingsError), (408, UnavailableError), (429, UnavailableError)]
    + [(status, UnavailableError) for status in (500, 502, 503, 504)],
)
def test_refusal_when_a_server_answers_no_then_it_means_wait_or_stop(status: int, kind: type) -> None:
    assert type(Access(owner="sources.in", url="http://loki").refusal(status, "no", {})) is kind


def test_headers_when_tenant_and_user_are_given_then_both_are_sent() -> None:
    headers = Access(owner="o", url="http://loki", tenant="a|b", user="é", password="p:w").headers
    assert headers["X-Scope-OrgID"] == "a|b"
    assert headers["Authorization"] == "Basic w6k6cDp3"


def test_access_when_shown_then_no_secret_is_in_it() -> None:
    shown = repr(Access(owner="o", url="http://loki", user="me", password="hidden"))
    shown += repr(Access(owner="o", url="http://loki", token="hidden"))
    assert "hidden" not in shown


def test_trust_when_there_is_no_tls_then_there_is_nothing_to_check() -> None:
    assert Access(owner="o", url="http://loki", ca_file="nowhere").trust() is None
    assert Access(owner="o", url="https://loki").trust() is not None


def test_shortened_when_a_server_says_much_then_only_the_beginning_is_kept() -> None:
    assert shortened(" first \nsecond") == "first "
    assert len(shortened("x" * 1000)) == 301


def a_certificate(folder: Path) -> dict[str, str]:
    """Write a certificate for 127.0.0.1 and its key, and return their paths under uvicorn's names."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loki")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
    builder = builder.add_extension(address, critical=False)
    made = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    (folder / "ca.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return {"ssl_certfile": str(folder / "ca.pem"), "ssl_keyfile": str(folder / "key.pem")}


def a_source(server: LokiServer, *, ca_file: str | None = None, tail: bool = True) -> LokiSource:
    access = Access(owner="sources.in", url=server.url, ca_file=ca_file)
    return LokiSource("in", access=access, watch=Watch(query=QUERY, tail=tail))


def test_ca_file_when_the_server_has_a_certificate_of_its_own_then_queries_and_tail_trust_it(tmp_path: Path) -> None:
    tls = a_certificate(tmp_path)
    with LokiServer().running(**tls) as server:
        server.put((time.time_ns(), "a"))
        source = a_source(server, ca_file=tls["ssl_certfile"])
        source.open([])
        assert source.poll(10, 60).height == 1
        deadline = time.monotonic() + 60
        while not server.n_tails and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.n_tails == 1
        source.close()


def test_ca_file_when_it_is_missing_then_the_source_stops_and_names_it(tmp_path: Path) -> None:
    with LokiServer().running(**a_certificate(tmp_path)) as server:
        source = a_source(server, tail=False)
        source.open([])
        with pytest.raises(SettingsError, match=r"is not trusted .* under ca_file"):
            source.poll(10, 60)
        source.close()
