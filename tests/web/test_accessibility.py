"""The pages in a real Chromium under the rules of axe-core, light and dark, narrow and wide.

axe-core is no part of the project: it is fetched once by npm, into the cache of pytest.
"""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from selenium import webdriver

AXE = "axe-core@4.14.1"
PAGES = (
    "/", "/search?q=berlin", "/search?q=nowhere", "/search?q=(", "/trends", "/events", "/system", "/token",
    "/name?key=berlin&type=LOC", "/post?id=jsonl:hostile", "/post?id=none",
)  # fmt: skip
RUN = (
    "const done = arguments[arguments.length - 1];"
    "axe.run(document, {resultTypes: ['violations']}).then(found => done(found.violations.map("
    "one => one.id + ': ' + one.nodes.map(node => node.html.slice(0, 200) + ' ' + node.failureSummary).join(' | '))))"
)


@pytest.fixture(scope="module")
def axe(pytestconfig: pytest.Config) -> str:
    assert pytestconfig.cache is not None
    folder = Path(pytestconfig.cache.mkdir("axe-core"))
    script = folder / "package" / "axe.min.js"
    if not script.exists():
        npm = shutil.which("npm")
        fetched = npm and subprocess.run([npm, "pack", AXE], cwd=folder, capture_output=True, timeout=120, check=False)
        if not fetched or fetched.returncode:
            reason = f"{AXE} cannot be fetched (Debian, Ubuntu: apt-get install npm, and a network)"
            pytest.fail(reason) if os.environ.get("REQUIRE_REAL_SERVERS") else pytest.skip(reason)
        with tarfile.open(next(folder.glob("axe-core-*.tgz"))) as packed:
            packed.extract("package/axe.min.js", folder, filter="data")
    return script.read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1600])
def test_no_rule_of_axe_is_broken(browser: webdriver.Chrome, address: str, axe: str, width: int, scheme: str) -> None:
    browser.set_window_size(width, 900)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    broken = {}
    for page in PAGES:
        browser.get(address + page)
        browser.execute_script(axe)
        if found := browser.execute_async_script(RUN):
            broken[page] = found
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert broken == {}
