"""Apache Kafka itself, one KRaft node on free ports of its own, for integration tests and benchmarks.

The jars come from Maven Central through ``tests/integration/kafka/pom.xml`` and stay in its ``target`` folder.
"""

import fcntl
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

PROJECT = Path(__file__).parent / "integration" / "kafka"
CLUSTER_ID = "dmlnaWUtdGVzdC1rYWZrYQ"
HOW_TO_GET_IT = "install a JRE (17 or newer) and Maven, e.g.: apt-get install openjdk-17-jre-headless maven"
HEAP = ("-Xms128m", "-Xmx384m", "-XX:+UseSerialGC")
LOGGING = ("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dlog4j2.disable.jmx=true")


class KafkaMissingError(RuntimeError):
    """Apache Kafka cannot be had on this machine; the message says how to get it."""


def jars() -> list[Path]:
    """Return Kafka's jars, fetched the first time and whenever the POM changes.

    Raises
    ------
    KafkaMissingError
        There is no `java` or `mvn`, or Maven failed.
    """
    missing = [program for program in ("java", "mvn") if shutil.which(program) is None]
    if missing:
        raise KafkaMissingError(f"Apache Kafka needs {' and '.join(missing)}; {HOW_TO_GET_IT}")
    target = PROJECT / "target"
    target.mkdir(exist_ok=True)
    with _locked(target / "lock"):
        _fetch(target)
    return sorted((target / "dependency").glob("*.jar"))


def _fetch(target: Path) -> None:
    stamp, pom = target / "pom.xml", (PROJECT / "pom.xml").read_bytes()
    if stamp.exists() and stamp.read_bytes() == pom:
        return
    shutil.rmtree(target / "dependency", ignore_errors=True)
    command = ["mvn", "-q", "-B", "dependency:copy-dependencies"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise KafkaMissingError(f"Maven could not fetch Apache Kafka:\n{done.stdout}{done.stderr}")
    stamp.write_bytes(pom)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def free_ports(n: int) -> list[int]:
    """Return ports nobody listens on just now, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [made.getsockname()[1] for made in sockets]
    for made in sockets:
        made.close()
    return ports


class KafkaServer:
    """One broker that is its own controller; stops when its `with` block ends.

    Parameters
    ----------
    folder
        Where its data and log go; made when it is not there.
    settings
        More lines of `server.properties`.
    listeners
        Addresses besides the open one, each with a name of its own: ``SECURE://127.0.0.1:9093``.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, str] | None = None, *, listeners: Sequence[str] = ()
    ) -> None:
        self.folder = folder
        self._more_listeners = tuple(listeners)
        self._port, self._controller_port = free_ports(2)
        self._settings = dict(settings or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients; the same after a restart."""
        return f"127.0.0.1:{self._port}"

    def start(self, timeout_seconds: float = 90.0) -> None:
        """Start the broker and wait until it answers; data of an earlier start are kept."""
        if not (self.folder / "data" / "meta.properties").exists():
            self._format()
        with (self.folder / "server.log").open("ab") as log:
            command = [*_die_with_parent(), *self._java("kafka.Kafka"), str(self._properties)]
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        self._wait(timeout_seconds)

    def stop(self, timeout_seconds: float = 30.0) -> None:
        """Shut the broker down, gently at first."""
        self._end(signal.SIGTERM, timeout_seconds)

    def kill(self) -> None:
        """End the broker with `kill -9`."""
        self._end(signal.SIGKILL, 10.0)

    def create_topic(self, name: str, partitions: int = 1, settings: Mapping[str, str] | None = None) -> None:
        """Create a topic and wait until it can be used."""
        admin = self._admin()
        admin.create_topics([NewTopic(name, partitions, 1, config=dict(settings or {}))])[name].result(30)

    def change_topic(self, name: str, settings: Mapping[str, str]) -> None:
        """Set some of a topic's settings."""
        entries = [
            ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in settings.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        admin = self._admin()
        admin.incremental_alter_configs([resource])[resource].result(30)

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop it."""
        self.stop()

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap_servers}, logger=_Silent())

    def _format(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = (f"{name}={value}" for name, value in (self._defaults() | self._settings).items())
        self._properties.write_text("\n".join(lines))
        format_it = ["format", "--cluster-id", CLUSTER_ID, "--config", str(self._properties)]
        subprocess.run([*self._java("kafka.tools.StorageTool"), *format_it], check=True, capture_output=True)

    def _defaults(self) -> dict[str, str]:
        more = self._more_listeners
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listeners": ",".join(
                [f"PLAINTEXT://127.0.0.1:{self._port}", f"CONTROLLER://127.0.0.1:{self._controller_port}", *more]
            ),
            "log.dirs": str(self.folder / "data"),
            "offsets.topic.num.partitions": "3",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.num.partitions": "3",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            "broker.session.timeout.ms": "2000",
            "broker.heartbeat.interval.ms": "500",
            "auto.create.topics.enable": "false",
        }

    def _java(self, main: str) -> list[str]:
        path = ":".join(str(jar) for jar in jars())
        return ["java", *HEAP, *LOGGING, "-cp", path, main]

    def _wait(self, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        admin = self._admin()
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                break
            if _answers(admin):
                return
        tail = (self.folder / "server.log").read_text(errors="replace")[-2000:]
        raise TimeoutError(f"Apache Kafka did not answer on {self.bootstrap_servers}; its log ends with:\n{tail}")

    def _end(self, how: signal.Signals, timeout_seconds: float) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout_seconds)
        self._process = None


class _Silent:
    """A logger for clients that must not complain while the broker starts."""

    def log(self, *_: object) -> None:
        """Say nothing."""


def _answers(admin: AdminClient) -> bool:
    try:
        return bool(admin.list_topics(timeout=0.5).brokers)
    except KafkaException:
        return False


def _die_with_parent() -> list[str]:
    """Make the kernel end the broker when the tests are killed, where that can be had."""
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
