import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from vigie import settings

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
INSTRUCTIONS = [
    line.split(maxsplit=1)
    for line in (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    if re.match(r"[A-Z]+ ", line)
]
LAST_STAGE = INSTRUCTIONS[max(n for n, (name, _) in enumerate(INSTRUCTIONS) if name == "FROM") :]
ADDRESS = "postgresql+psycopg://vigie:x@postgres:5432/vigie"


def project():
    text = (DEPLOY / "project" / "vigie.toml").read_text(encoding="utf-8")
    given = {name: value for name, value in SERVICES["web"]["environment"].items() if name.startswith("VIGIE_")}
    return settings.parse(text, environment={**given, "VIGIE_STORE__URL": ADDRESS})


def last(name):
    return [argument for instruction, argument in LAST_STAGE if instruction == name]


def test_project_when_compose_sets_its_environment_then_settings_take_it():
    found = project()

    assert found.store.url == ADDRESS
    assert found.registry.tracking_uri == "http://mlflow:5000"
    assert found.web.allowed_hosts == ("proxy",)


def test_project_when_it_names_a_server_then_compose_has_a_service_of_that_name():
    found = project()
    addresses = [table.parameters.get("bootstrap_servers") for table in found.sinks.values()]
    addresses += [table.parameters.get("bootstrap_servers") for table in found.sources.values()]
    addresses += [table.parameters.get("url") for table in found.sources.values()]
    addresses += [found.store.url, found.registry.tracking_uri]

    hosts = {re.sub(r"^.*//(?:.*@)?", "", address).split(":")[0] for address in addresses if address}

    assert hosts == {"kafka", "loki", "postgres", "mlflow"}
    assert hosts <= SERVICES.keys()


def test_project_when_streams_run_then_each_source_is_read_and_instances_differ():
    commands = [service["command"] for name, service in SERVICES.items() if name.startswith("stream-")]

    assert {command[command.index("--source") + 1] for command in commands} == project().sources.keys()
    numbers = [command[command.index("--instance") + 1] for command in commands if "--instance" in command]
    assert len(numbers) == len(set(numbers)) == 2


def test_compose_when_a_port_is_published_then_only_this_machine_reaches_it():
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]

    assert published
    assert [port for port in published if not str(port).startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("name", SERVICES)
def test_compose_when_it_names_an_image_then_the_version_is_pinned(name):
    image = SERVICES[name]["image"]

    assert re.search(r":v?\d+\.\d+", image), f"{image} may become another one"


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "topics"])
def test_compose_when_a_service_stays_up_then_it_is_started_again_and_checked(name):
    service = SERVICES[name]

    assert service["restart"] == "unless-stopped"
    assert "healthcheck" in service or (name == "web" and last("HEALTHCHECK"))


def test_compose_when_something_is_mounted_or_needed_then_it_is_there():
    needed = [dependency for service in SERVICES.values() for dependency in service.get("depends_on", {})]
    mounted = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    secrets = [secret for service in SERVICES.values() for secret in service.get("secrets", [])]

    assert set(needed) <= SERVICES.keys()
    assert [path for path in mounted if path.startswith(".") and not (DEPLOY / path).exists()] == []
    assert {name for name in mounted if not name.startswith(".")} == COMPOSE["volumes"].keys()
    assert set(secrets) == COMPOSE["secrets"].keys()


def test_compose_when_a_password_is_needed_then_it_stands_in_a_file():
    variables = {name for service in SERVICES.values() for name in service.get("environment", {})}

    assert [name for name in variables if "PASSWORD" in name and not name.endswith("_FILE")] == []
    assert all(secret["file"].startswith("./secrets/") for secret in COMPOSE["secrets"].values())


def test_compose_when_web_trusts_its_loopback_then_only_the_proxy_is_there_with_it():
    sharing = [name for name, service in SERVICES.items() if service.get("network_mode") == "service:proxy"]

    assert sharing == ["web"]
    assert "ports" not in SERVICES["web"]
    assert project().web.host == "127.0.0.1"


def test_prometheus_when_it_scrapes_then_each_target_is_a_service():
    jobs = yaml.safe_load((DEPLOY / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    hosts = {target.split(":")[0] for job in jobs for entry in job["static_configs"] for target in entry["targets"]}

    assert hosts <= SERVICES.keys()


def test_dockerfile_when_the_image_is_done_then_nobody_is_root_and_health_is_checked():
    assert last("USER")[-1].split(":")[0] not in {"0", "root"}
    assert "/healthz" in last("HEALTHCHECK")[-1]
    assert last("EXPOSE") == ["8080"]
    assert last("VOLUME") == ['["/project"]']


def test_dockerfile_when_it_is_built_then_every_version_is_pinned_and_tools_stay_behind():
    images = [argument.split()[0] for name, argument in INSTRUCTIONS if name == "FROM"]
    installed = [argument for name, argument in INSTRUCTIONS if name == "RUN" and "pip install" in argument]

    assert len(images) == 2
    assert all(re.search(r":\d+\.\d+\.\d+-slim", image) for image in images)
    assert all("--constraint constraints.txt" in argument for argument in installed)
    assert not any("pip install" in argument or "apt-get" in argument for argument in last("RUN"))


def test_secrets_when_they_are_made_then_addresses_hold_the_password_and_stay_when_made_again(tmp_path):
    script = tmp_path / "make-secrets"
    script.write_bytes((DEPLOY / "make-secrets").read_bytes())
    (tmp_path / "secrets").mkdir()

    def run():
        subprocess.run(["/bin/sh", str(script)], check=True, capture_output=True)
        return {path.name: path.read_text(encoding="ascii") for path in (tmp_path / "secrets").iterdir()}

    made = run()

    assert run() == made
    assert made.keys() == COMPOSE["secrets"].keys()
    assert re.fullmatch("[0-9a-f]{48}", made["postgres_password"])
    assert made["store_url"] == ADDRESS.replace(":x@", f":{made['postgres_password']}@")
    assert f":{made['postgres_password']}@postgres:5432/mlflow" in made["mlflow_url"]


def test_health_check_when_the_role_of_this_host_is_missing_then_it_fails():
    code = re.search(r'python -c "(.*)"$', SERVICES["learner"]["healthcheck"]["test"][1]).group(1)

    def check(instance):
        given = f'{{"roles": [{{"instance": "{instance}"}}]}}'
        return subprocess.run([sys.executable, "-c", code], input=given, text=True, check=False).returncode

    assert check(f"{socket.gethostname()}-7") == 0
    assert check("elsewhere-7") == 1
