"""A server over a small index with a hostile post, and a real Chromium."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from page_server import HOSTILE, feed, program
from selenium import webdriver

from ops.docs.browser import opened_browser, served


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    posts = [{"id": number, "text": f"Berlin {number} #flood"} for number in range(60)]
    feed(folder, [*posts, {"id": "hostile", "text": HOSTILE, "url": "javascript:alert(1)"}], folder / "posts.db")
    return folder / "posts.db"


@pytest.fixture(scope="module")
def address(index: Path) -> Iterator[str]:
    with served(index) as address:
        yield address


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    program("chromium"), program("chromedriver")
    with opened_browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened
