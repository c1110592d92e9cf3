"""The script that compose runs gives Kibana the objects and the rule, and fails where Kibana takes them not."""

import base64
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ops.kibana.rule import RULE_ID
from ops.kibana.write import FOLDER

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
TAKEN = (200, b'{"successCount":42,"success":true}')


class FakeKibana(ThreadingHTTPServer):
    """A server that answers what a test tells it to, and keeps what it was asked."""

    answers: dict[str, tuple[int, bytes]]
    asked: list[tuple[str, dict[str, str], bytes]]


class _Handler(BaseHTTPRequestHandler):
    server: FakeKibana

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        status, answer = self.server.answers["import" if "_import" in self.path else "rule"]
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def kibana() -> Iterator[FakeKibana]:
    server = FakeKibana(("127.0.0.1", 0), _Handler)
    server.answers, server.asked = {"import": TAKEN, "rule": (200, b"{}")}, []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def run(kibana: FakeKibana) -> "subprocess.CompletedProcess[str]":
    environment = {
        "PATH": os.environ["PATH"],
        "KIBANA_URL": f"http://127.0.0.1:{kibana.server_port}",
        "ELASTIC_PASSWORD": "se cret",
        "RULE_ID": RULE_ID,
        "FILES": str(FOLDER),
    }
    command = ["bash", str(FOLDER / "import.sh")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_objects_and_rule_are_given(kibana: FakeKibana) -> None:
    done = run(kibana)
    assert (done.returncode, done.stderr) == (0, "")
    (objects, head, body), (rule, rule_head, rule_body) = kibana.asked
    assert (objects, rule) == ("/api/saved_objects/_import?overwrite=true", f"/api/alerting/rule/{RULE_ID}")
    credentials = base64.b64encode(b"elastic:se cret").decode()
    for one in (head, rule_head):
        assert (one["authorization"], one["kbn-xsrf"]) == (f"Basic {credentials}", "tagstream")
    assert b'filename="objects.ndjson"' in body
    assert (FOLDER / "objects.ndjson").read_bytes() in body
    assert rule_head["content-type"] == "application/json"
    assert json.loads(rule_body) == json.loads((FOLDER / "rule.json").read_text(encoding="utf-8"))


def test_a_rule_that_is_there_stays(kibana: FakeKibana) -> None:
    kibana.answers["rule"] = (409, b"{}")
    assert run(kibana).returncode == 0


@pytest.mark.parametrize(
    ("part", "answer"),
    [
        ("import", (200, b'{"success":false,"errors":[{"id":"tagstream-lag"}]}')),
        ("import", (401, b"who are you")),
        ("rule", (400, b"no such field")),
    ],
)
def test_what_is_refused_is_said(kibana: FakeKibana, part: str, answer: tuple[int, bytes]) -> None:
    kibana.answers[part] = answer
    done = run(kibana)
    assert done.returncode == 1
    assert f"(status {answer[0]})" in done.stderr
    assert answer[1].decode() in done.stderr
