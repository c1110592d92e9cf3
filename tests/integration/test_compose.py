"""docker-compose.yml keeps its promises: loopback only, security on, a health check each, one place for shared values.

Where docker-compose is installed the file is also read by it, for both profiles; that needs no engine.
"""

import os
import re
import shutil
import stat
import subprocess

import pytest
import yaml

from ops.kibana.rule import RULE_ID
from ops.stack.compose_env import SECRETS, write_compose_env
from ops.stack.shared import FOLDER, REPOSITORY, SHARED, read_env

FILE = REPOSITORY / "docker-compose.yml"
PROJECT = yaml.safe_load(FILE.read_text(encoding="utf-8"))
SERVICES = PROJECT["services"]
ONCE = {"accounts", "dashboards"}
LASTING = {name: service for name, service in SERVICES.items() if name not in ONCE}
services = pytest.mark.parametrize("name", SERVICES)


@pytest.fixture
def environment(tmp_path):
    write_compose_env(tmp_path / ".env")
    return tmp_path / ".env"


def test_every_part_of_the_distributed_shape_is_there():
    parts = {"kafka", "elasticsearch", "kibana", "triton", "triton-gpu", "ingest", "worker"}
    assert LASTING.keys() == parts


@services
def test_nothing_is_published_beyond_the_loopback(name):
    service = SERVICES[name]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert "network_mode" not in service
    assert "inside" in service["networks"]
    assert PROJECT["networks"]["inside"] == {"internal": True}


def test_only_what_talks_to_the_world_or_is_published_has_a_way_out():
    assert {name for name in SERVICES if "outside" in SERVICES[name]["networks"]} == {
        "elasticsearch",
        "kibana",
        "ingest",
    }


@services
def test_no_service_has_privileges_or_unbounded_resources(name):
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "devices", "pid", "ipc"} & service.keys()
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}


@pytest.mark.parametrize("name", LASTING)
def test_every_lasting_service_has_a_health_check_and_comes_back(name):
    assert LASTING[name]["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert LASTING[name]["restart"] == "unless-stopped"


@services
def test_versions_come_from_the_one_place(name):
    image = SERVICES[name]["image"]
    if image != "tagstream":
        version = image.split(":", 1)[1]
        variables = re.findall(r"\$\{(\w+)", version)
        assert len(variables) == 2
        assert variables[0] in SHARED
        assert variables[1].endswith("_DIGEST"), "a tag can be moved: an image may be named by its digest"
        assert not re.search(r"\d", re.sub(r"\$\{[^}]*\}|-py3", "", version))


def test_what_runs_once_has_its_files_and_ends():
    for name in ONCE:
        service = SERVICES[name]
        assert service["restart"] == "on-failure"
        for source, target, access in (volume.split(":") for volume in service["volumes"]):
            assert (REPOSITORY / source).is_file()
            assert access == "ro"
            assert target.startswith("/")
        subprocess.run(["bash", "-n", str(REPOSITORY / service["volumes"][0].split(":")[0])], check=True)
    assert SERVICES["dashboards"]["depends_on"] == {"kibana": {"condition": "service_healthy"}}
    assert SERVICES["dashboards"]["environment"]["RULE_ID"] == RULE_ID


def test_kafka_has_the_settings_of_the_local_broker():
    kafka = SERVICES["kafka"]
    assert REPOSITORY / kafka["env_file"] == FOLDER / "kafka.env"
    assert not kafka["environment"].keys() & read_env(FOLDER / "kafka.env").keys()


def test_security_is_on_and_no_password_is_in_the_repository():
    text = FILE.read_text(encoding="utf-8")
    assert SERVICES["elasticsearch"]["environment"]["xpack.security.enabled"] == "true"
    for name in SECRETS:
        assert f"${{{name}:?" in text, f"{name} may be empty"
    assert not [value for value in re.findall(r"PASSWORD: (\S+)", text) if not value.startswith("${")]
    assert "elastic:" not in SERVICES["worker"]["environment"]["TAGSTREAM_INDEX"]
    assert ".env" in (REPOSITORY / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_every_variable_has_a_value_after_compose_env(environment):
    variables = set(re.findall(r"(?<!\$)\$\{(\w+)", FILE.read_text(encoding="utf-8")))
    optional = set(re.findall(r"(?<!\$)\$\{(\w+_DIGEST):-\}", FILE.read_text(encoding="utf-8")))
    assert variables - optional <= read_env(environment).keys()


def test_a_digest_of_ours_names_a_whole_image_and_one_of_the_operator_stays(environment):
    digests = {name: value for name, value in SHARED.items() if name.endswith("_DIGEST")}
    assert digests.keys() == {"KAFKA_DIGEST", "PYTHON_DIGEST"}
    assert all(re.fullmatch(r"@sha256:[0-9a-f]{64}", value) for value in digests.values())
    with environment.open("a") as file:
        file.write(f"KIBANA_DIGEST=@sha256:{'0' * 64}\n")
    write_compose_env(environment)
    assert read_env(environment)["KIBANA_DIGEST"] == f"@sha256:{'0' * 64}"


def test_the_environment_keeps_passwords_and_follows_versions(environment):
    first = read_env(environment)
    assert stat.S_IMODE(environment.stat().st_mode) == 0o600
    assert len({first[name] for name in SECRETS}) == len(SECRETS)
    environment.write_text(environment.read_text().replace(SHARED["KAFKA_VERSION"], "0.0.1"))
    write_compose_env(environment)
    assert read_env(environment) == first


def test_our_image_is_small_pinned_and_not_root():
    dockerfile = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
    bases = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    assert bases == ["python:${PYTHON_VERSION}-slim-bookworm${PYTHON_DIGEST}"] * 2
    assert "--require-hashes" in dockerfile
    assert re.findall(r"^USER (.*)", dockerfile, re.MULTILINE) == ["10001"]
    ignored = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[1] == "*"
    for line in ignored:
        if line.startswith("!"):
            assert (REPOSITORY / line[1:]).exists(), line


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="docker-compose is not installed")
@pytest.mark.parametrize("profile", ["cpu", "gpu"])
def test_docker_compose_reads_it(environment, profile):
    command = ["docker-compose", "--env-file", str(environment), "--profile", profile, "--file", str(FILE), "config"]
    bare = {"PATH": os.environ["PATH"], "HOME": str(environment.parent)}
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=bare)
    assert answer.returncode == 0, answer.stderr
    read = yaml.safe_load(answer.stdout)["services"]
    assert read["kafka"]["image"] == f"apache/kafka:{SHARED['KAFKA_VERSION']}{SHARED['KAFKA_DIGEST']}"
    assert read["kafka"]["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert read["elasticsearch"]["image"].endswith(f":{SHARED['ELASTICSEARCH_VERSION']}")
    assert "$" not in read["worker"]["environment"]["TAGSTREAM_INDEX"]
