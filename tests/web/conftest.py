"""A server over a small index with a hostile post, and a real Chromium."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_server import ENVIRONMENT, HOSTILE, feed, program
from selenium import webdriver
from selenium.webdriver.chrome.service import Service


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    posts = [{"id": number, "text": f"Berlin {number} #flood"} for number in range(60)]
    feed(folder, [*posts, {"id": "hostile", "text": HOSTILE, "url": "javascript:alert(1)"}], folder / "posts.db")
    return folder / "posts.db"


@pytest.fixture(scope="module")
def address(index: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "tagstream", "serve", "--index", f"sqlite:{index}", "--http", "127.0.0.1:0"]
    command += ["--requests-per-minute", "1000000"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT) as server:
        assert server.stderr is not None
        yield server.stderr.readline().split(" ")[0].strip().rstrip("/")
        server.terminate()
        assert "Traceback" not in server.stderr.read()
        assert server.wait(30) == 0


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    chromium, driver = program("chromium"), program("chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    profile = tmp_path_factory.mktemp("profile")
    for argument in (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
        *("--disable-background-networking", "--disable-component-update", f"--user-data-dir={profile}"),
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=Service(driver))
    opened.set_page_load_timeout(60)
    yield opened
    opened.quit()
