"""The page in a real Chromium: it is read, used by keys alone, shows new posts as they come, and no post runs."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=2</script> \u202egnp.exe javascript:alert(1)'
POST = {"source": "jsonl", "created_at": "2026-03-01T12:00:00Z", "author": {"id": "ann", "handle": HOSTILE[:80]}}
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("TAGSTREAM_")}


def program(name: str) -> str:
    """Returns the path of a program; where it is missing the test is skipped, or fails where nothing may be."""
    found = shutil.which(name)
    if found is None:
        reason = f"{name} is missing (Debian, Ubuntu: apt-get install chromium chromium-driver)"
        pytest.fail(reason) if os.environ.get("REQUIRE_REAL_SERVERS") else pytest.skip(reason)
    return found


def wait_for(true: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def feed(folder: Path, posts: list[dict[str, object]], index: Path) -> None:
    path = folder / f"feed{len(list(folder.iterdir()))}.jsonl"
    path.write_text("".join(json.dumps(POST | post) + "\n" for post in posts))
    command = [sys.executable, "-m", "tagstream", "run", "--source", f"jsonl:{path}", "--models", "stub:"]
    subprocess.run(
        [*command, "--index", f"sqlite:{index}"], check=True, capture_output=True, timeout=120, env=ENVIRONMENT
    )


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    posts = [{"id": number, "text": f"Berlin {number} #flood"} for number in range(60)]
    feed(folder, [*posts, {"id": "hostile", "text": HOSTILE, "url": "javascript:alert(1)"}], folder / "posts.db")
    return folder / "posts.db"


@pytest.fixture(scope="module")
def address(index: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "tagstream", "serve", "--index", f"sqlite:{index}", "--http", "127.0.0.1:0"]
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


def test_no_page_runs_what_a_post_holds_or_is_refused_by_its_own_policy(
    browser: webdriver.Chrome, address: str
) -> None:
    for page in ("/", "/search", "/search?q=javascript", "/trends", "/events", "/system", "/post?id=jsonl:hostile"):
        browser.get(address + page)
        assert browser.execute_script("return window.hacked") is None
        script = "return [...document.querySelectorAll('a')].map(a => String(a.href.baseVal ?? a.href))"
        links = browser.execute_script(script)
        assert not [link for link in links if not link.startswith((address, "/"))]
        complaints = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
        assert not complaints
    assert "\\u202e" in browser.find_element(By.TAG_NAME, "main").text


@pytest.mark.parametrize("width", [360, 1600])
@pytest.mark.parametrize(
    "page", ["/", "/search?q=berlin", "/trends", "/events", "/system", "/name?key=berlin&type=LOC"]
)
def test_no_page_is_wider_than_the_window(browser: webdriver.Chrome, address: str, page: str, width: int) -> None:
    browser.set_window_size(width, 900)
    browser.get(address + page)
    overflow = browser.execute_script(
        "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0


def test_keys_alone_reach_the_search_and_its_posts(browser: webdriver.Chrome, address: str) -> None:
    browser.set_window_size(1280, 900)
    browser.get(address + "/")
    browser.switch_to.active_element.send_keys(Keys.TAB)
    assert browser.switch_to.active_element.text == "To the content"
    for _ in range(12):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        if browser.switch_to.active_element.get_attribute("id") == "quick":
            break
    browser.switch_to.active_element.send_keys("#flood", Keys.ENTER)
    wait_for(lambda: "/search" in browser.current_url)
    assert "60 posts" in browser.find_element(By.CSS_SELECTOR, "main [role=status]").text


def test_new_posts_appear_while_one_looks(browser: webdriver.Chrome, address: str, index: Path) -> None:
    browser.get(address + "/")
    wait_for(lambda: "appear here" in browser.find_element(By.ID, "live").text)
    feed(index.parent, [{"id": "new", "text": f"Lagos now {HOSTILE}"}], index)
    wait_for(lambda: "Lagos now" in browser.find_element(By.CSS_SELECTOR, "#posts article").text)
    assert browser.execute_script("return window.hacked") is None
    assert len(browser.find_elements(By.CSS_SELECTOR, "#posts article.new")) == 1


def test_every_control_has_a_label_and_every_picture_a_text(browser: webdriver.Chrome, address: str) -> None:
    for page in ("/", "/search?q=berlin", "/trends", "/events", "/system", "/token"):
        browser.get(address + page)
        unnamed = browser.execute_script(
            "return [...document.querySelectorAll('input,select,button,a,img,svg[role]')]"
            ".filter(e => !(e.labels && e.labels.length) && !(e.innerText || '').trim()"
            " && !e.getAttribute('aria-label') && !e.getAttribute('alt') && !e.querySelector('title'))"
            ".map(e => e.outerHTML)"
        )
        assert unnamed == []
        assert browser.execute_script("return document.querySelectorAll('main h1').length") == 1
