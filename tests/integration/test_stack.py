"""The stack: each server starts, keeps its data and its ports, and only what is ours is ever signalled."""

import json
import signal
import subprocess
import sys
import urllib.request

import pytest

from ops.stack import NotInstallable, Stack, StackError, maven
from ops.stack.kafka import Kafka
from ops.stack.process import ServerProcess, save_process, start_process
from tagstream.settings import REPOSITORY


def ask(url, method="GET", document=None):
    data = json.dumps(document).encode() if document is not None else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def stack(module_stack):
    """Servers of this module's own, beside those that the session shares; each test leaves them running."""
    return module_stack("kafka", "elasticsearch")


def test_a_second_stack_has_ports_and_data_of_its_own(elasticsearch, stack):
    assert not set(stack.elasticsearch.ports.values()) & set(elasticsearch.ports.values())
    ask(f"{stack.elasticsearch.url}/only_here/_doc/1", "PUT", {"here": True})
    assert "only_here" in ask(f"{stack.elasticsearch.url}/_all")
    assert "only_here" not in ask(f"{elasticsearch.url}/_all")


def test_what_was_stored_survives_a_kill_at_the_same_address(stack):
    node = stack.elasticsearch
    address = node.url
    ask(f"{address}/kept/_doc/1", "PUT", {"kept": True})
    node.kill()
    assert not node.answers()
    node.start()
    node.wait()
    assert node.url == address
    assert ask(f"{address}/kept/_doc/1")["_source"] == {"kept": True}


def test_a_second_up_leaves_what_runs_alone(stack):
    processes, environment = [part.process for part in stack.parts], stack.env_file.read_text()
    again = Stack(stack.name, stack.folder.parent)
    again.up(["kafka", "elasticsearch"])
    assert [part.process for part in again.parts] == processes
    assert stack.env_file.read_text() == environment
    sourced = subprocess.run(
        ["bash", "-c", f'. "{stack.env_file}"; exec env'], capture_output=True, text=True, check=True
    )
    assert f"TAGSTREAM_KAFKA={stack.kafka.specification}" in sourced.stdout.splitlines()
    assert f"TAGSTREAM_INDEX={stack.elasticsearch.specification}" in sourced.stdout.splitlines()


def test_a_paused_broker_does_not_answer_until_it_is_resumed_and_can_be_stopped(stack):
    broker = stack.kafka
    broker.pause()
    assert broker.is_running()
    assert not broker.answers()
    broker.resume()
    broker.wait()
    broker.pause()
    broker.restart()


def test_a_record_of_another_process_is_not_acted_upon(tmp_path):
    stranger = start_process(["/bin/sleep", "60"], {}, tmp_path / "log")
    try:
        broker = Kafka(tmp_path)
        save_process(tmp_path / "pid", ServerProcess(stranger.pid, stranger.started - 1))
        assert not broker.is_running()
        broker.kill()
        broker.stop()
        assert stranger.is_running()
    finally:
        stranger.signal(signal.SIGKILL)
        assert stranger.wait_gone(5)


@pytest.mark.usefixtures("kafka")
def test_a_server_that_dies_at_the_start_shows_its_log(tmp_path):
    broker = Kafka(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "meta.properties").write_text("version=of another program\n")
    broker.start()
    with pytest.raises(StackError, match=r"kafka stopped while it was starting(.|\n)*of another program"):
        broker.wait()


def test_a_missing_maven_is_named_with_its_cure(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotInstallable, match=r"mvn is missing: install Maven .*apt-get install maven"):
        maven.fetch_jars("kafka", tmp_path)


def test_other_jars_than_those_of_the_lock_are_refused(tmp_path, monkeypatch):
    def download(_, folder):
        (folder / "ecj-3.42.0.jar").write_bytes(b"not the compiler")

    monkeypatch.setattr(maven, "download_jars", download)
    with pytest.raises(NotInstallable, match=r"not those of jars\.lock: ecj-3\.42\.0\.jar"):
        maven.fetch_jars("compiler", tmp_path)


def test_servers_that_cannot_be_had_are_a_loud_skip_and_a_failure_where_they_are_required(tmp_path):
    """In a process of its own: no Maven on the PATH, and an empty cache."""
    test = f"{__file__}::{test_a_second_up_leaves_what_runs_alone.__name__}"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", test]
    bare = {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}

    def run(environment):
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=REPOSITORY)

    skipped = run(bare)
    assert skipped.returncode == 0
    assert "TESTS ON REAL SERVERS DID NOT RUN: mvn is missing" in skipped.stdout
    failed = run({**bare, "REQUIRE_REAL_SERVERS": "1"})
    assert failed.returncode == 1
    assert "REQUIRE_REAL_SERVERS=1, and mvn is missing" in failed.stdout


def test_the_check_before_a_change_requires_the_servers():
    assert "export REQUIRE_REAL_SERVERS=1" in (REPOSITORY / ".ci" / "run").read_text().splitlines()


def test_no_name_leaves_the_folder(tmp_path):
    with pytest.raises(StackError, match="a name is letters"):
        Stack("../elsewhere", tmp_path)
