"""What all tests share: servers, and how hypothesis runs."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from kafka_server import KafkaMissingError, KafkaServer, jars
from loki_server import LokiServer

settings.register_profile("vigie", deadline=None)  # a loaded machine is no defect
settings.load_profile("vigie")


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """Apache Kafka, running."""
    try:
        jars()
    except KafkaMissingError as problem:
        if os.environ.get("CI") == "true":
            pytest.fail(str(problem))
        pytest.skip(str(problem))
    with KafkaServer(tmp_path_factory.mktemp("kafka")) as server:
        yield server


@pytest.fixture
def loki_server() -> Iterator[LokiServer]:
    """Something that answers as Loki does, running and empty."""
    with LokiServer().running() as server:
        yield server
