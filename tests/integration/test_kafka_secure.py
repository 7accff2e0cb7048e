"""A broker that asks for TLS and a password, reached with the options that the how-to names."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from confluent_kafka.admin import AdminClient, ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from kafka_client import a_name, a_topic, fill, read_all
from kafka_server import KafkaServer, free_ports
from kafka_worker import traced
from vigie.errors import SettingsError, VigieError
from vigie.sinks.kafka import KafkaSink
from vigie.sources.kafka import KafkaSource
from vigie.stream.worker import Worker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(60)]

PASSWORD = "correct horse"
MODULES = "org.apache.kafka.common.security"
SECURITY = {
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL",
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
    "listener.name.secure.plain.sasl.jaas.config": (
        f'{MODULES}.plain.PlainLoginModule required user_vigie="{PASSWORD}";'
    ),
    "listener.name.secure.scram-sha-512.sasl.jaas.config": f"{MODULES}.scram.ScramLoginModule required;",
    "ssl.keystore.type": "PEM",
}


class SecureServer:
    """A broker with an open listener, for the test itself, and one behind TLS and SASL."""

    def __init__(self, folder: Path) -> None:
        authority, keystore = trustme.CA(), folder / "server.pem"
        self.authority = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.authority))
        keystore.write_bytes(_as_java_reads_it(authority.issue_cert("127.0.0.1")))
        self.secure = f"127.0.0.1:{free_ports(1)[0]}"
        settings = {**SECURITY, "ssl.keystore.location": str(keystore)}
        self.open = KafkaServer(folder / "kafka", settings, listeners=[f"SECURE://{self.secure}"])

    def add_user(self, name: str, password: str) -> None:
        """Let a user in with SCRAM."""
        admin = AdminClient({"bootstrap.servers": self.open.bootstrap_servers})
        how = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        admin.alter_user_scram_credentials([UserScramCredentialUpsertion(name, how, password.encode())])[name].result(
            10
        )

    def options(self, mechanism: str, **changes: str) -> dict[str, Any]:
        """Return what a user writes under [sources.….options]; keyword arguments with _ for each dot change it."""
        return {
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(self.authority),
            "sasl.mechanisms": mechanism,
            "sasl.username": "vigie",
            "sasl.password": PASSWORD,
            **{name.replace("_", "."): value for name, value in changes.items()},
        }


def _as_java_reads_it(certificate: trustme.LeafCert) -> bytes:
    """Return key and certificates in one file; Java reads keys in PKCS #8 only."""
    key = load_pem_private_key(certificate.private_key_pem.bytes(), None)
    chain = b"".join(part.bytes() for part in certificate.cert_chain_pems)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + chain


@pytest.fixture(scope="module")
def server(kafka_server: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureServer]:
    """Return a secured broker; the open one, which the fixture above starts, says whether there can be any."""
    made = SecureServer(tmp_path_factory.mktemp("secure"))
    with made.open:
        made.add_user("vigie", PASSWORD)
        yield made


def a_worker(server: SecureServer, topic: str, output: str, options: dict[str, Any]) -> Worker:
    shared: dict[str, Any] = {"bootstrap_servers": server.secure, "options": options}
    source = KafkaSource("in", topics=topic, group=topic, until_end=True, **shared)
    return Worker(source, KafkaSink("out", topic=output, transactional_id=topic, **shared), name="in", process=traced)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_worker_when_the_broker_wants_tls_and_a_password_then_messages_go_through(
    server: SecureServer, mechanism: str
) -> None:
    topic, output = a_topic(server.open), a_name("out")
    fill(server.open, topic, [b"one", b"two", b"bad"])

    a_worker(server, topic, output, server.options(mechanism)).run(threading.Event())

    assert len(read_all(server.open, output)) == 2
    assert len(read_all(server.open, f"{output}.dlq")) == 1


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_worker_when_the_password_is_wrong_then_it_ends_and_says_so_without_it(
    server: SecureServer, mechanism: str
) -> None:
    worker = a_worker(server, a_topic(server.open), a_name("out"), server.options(mechanism, sasl_password="battery"))

    with pytest.raises(SettingsError, match=r"(?i)authentication") as caught:
        worker.run(threading.Event())

    assert "battery" not in str(caught.value)


def test_source_when_it_does_not_know_the_authority_then_the_error_speaks_of_the_certificate(
    server: SecureServer, tmp_path: Path
) -> None:
    stranger = tmp_path / "stranger.pem"
    trustme.CA().cert_pem.write_to_path(str(stranger))
    options = server.options("PLAIN", ssl_ca_location=str(stranger))
    source = KafkaSource("in", topics="any", bootstrap_servers=server.secure, options=options)

    with pytest.raises(VigieError, match=r"(?i)certificate"):
        source.open([])
    source.close()
