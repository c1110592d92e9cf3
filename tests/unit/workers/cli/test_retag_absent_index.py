"""`tagstream retag` on an index that is not there: it says so, exits with 3, and makes none, of either kind."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from terminal import Terminal

import workers.cli.retag


class EmptyServer(ThreadingHTTPServer):
    """An Elasticsearch without any index. `asked` are the requests that came."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.asked: list[str] = []


class _Answer(BaseHTTPRequestHandler):
    server: EmptyServer

    def do_GET(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        body = json.dumps({"version": {"number": "9.1.0"}} if self.path == "/" else {}).encode()
        self.send_response(200)
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Type", "application/vnd.elasticsearch+json;compatible-with=9")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    # Any other method is answered with 501 and said in `asked`.
    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        super().send_error(code, message, explain)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Terminal:
    monkeypatch.chdir(tmp_path)

    def load(*_: object) -> None:
        raise AssertionError("a model is loaded before the index is looked at")

    monkeypatch.setattr(workers.cli.retag, "load_tagger", load)
    return Terminal(capsysbinary)


@pytest.fixture
def server() -> Iterator[EmptyServer]:
    server = EmptyServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("path", ["posts.db", "folder/posts.db"])
def test_no_file_of_sqlite_is_made(terminal: Terminal, tmp_path: Path, path: str) -> None:
    assert terminal("retag", "--index", f"sqlite:{path}") == 3
    assert f"There is no index at {path}" in terminal.notes
    assert list(tmp_path.iterdir()) == []


def test_no_index_of_elasticsearch_is_made(terminal: Terminal, server: EmptyServer) -> None:
    url = f"http://127.0.0.1:{server.server_port}"
    assert terminal("retag", "--index", f"elasticsearch:{url}") == 3
    assert f"There is no index at {url}" in terminal.notes
    assert server.asked
    assert all(request.startswith("GET ") for request in server.asked), server.asked
