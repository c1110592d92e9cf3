"""A server over an index and a Chromium that looks at it, for screenshots and for the tests of the page."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("TAGSTREAM_")}
_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--hide-scrollbars",
)


class ProgramMissing(Exception):
    """A program that is needed is not on the path; the message names it, and the package that has it."""


def program(name: str) -> str:
    """Returns the path of a program.

    Raises:
        ProgramMissing: there is none.
    """
    found = shutil.which(name)
    if found is None:
        raise ProgramMissing(f"{name} is missing (Debian, Ubuntu: apt-get install chromium chromium-driver)")
    return found


@contextmanager
def opened_browser(profile: Path) -> Iterator[webdriver.Chrome]:
    """Opens Chromium without a window, with a profile in an empty folder.

    Raises:
        ProgramMissing: Chromium or its driver is not installed.
    """
    options = webdriver.ChromeOptions()
    options.binary_location = program("chromium")
    for argument in (*_ARGUMENTS, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(program("chromedriver")))
    try:
        browser.set_page_load_timeout(60)
        yield browser
    finally:
        browser.quit()


@contextmanager
def served(index: Path) -> Iterator[str]:
    """Serves a SQLite index on a free port of this machine; gives the address, without a slash at its end."""
    folder = index.absolute().parents[1]
    name = index.absolute().relative_to(folder)  # the page shows it: no path of this machine belongs in a picture
    command = [sys.executable, "-m", "tagstream", "serve", "--index", f"sqlite:{name}", "--http", "127.0.0.1:0"]
    command += ["--requests-per-minute", "1000000"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, cwd=folder) as server:
        assert server.stderr is not None
        yield server.stderr.readline().split(" ")[0].strip().rstrip("/")
        server.terminate()
        said = server.stderr.read()
        assert server.wait(30) == 0, said
        assert "Traceback" not in said, said
