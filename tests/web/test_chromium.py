"""The page in a real Chromium: it is read, used by keys alone, shows new posts as they come, and no post runs."""

from pathlib import Path

import pytest
from page_server import HOSTILE, feed, wait_for
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys


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
