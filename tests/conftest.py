"""Fixtures of real servers. Where they cannot be had, the tests that need them are skipped, loudly.

`kafka`, `elasticsearch` and `triton` are each one running server for the whole session: tests share it, so each uses
topics and indices of its own and never stops it. `new_stack("kafka", ...)` starts servers that a test may kill.
"""

import os
import shutil
from contextlib import ExitStack
from functools import partial

import pytest
from servers import private_stack, servers_folder, stop_abandoned_servers

from ops.stack import NotInstallable, Stack

REQUIRED = "REQUIRE_REAL_SERVERS"
_absent = pytest.StashKey[set[str]]()


def pytest_configure(config):
    config.stash[_absent] = set()


def pytest_terminal_summary(terminalreporter, config):
    for reason in sorted(config.stash[_absent]):
        line = f"TESTS ON REAL SERVERS DID NOT RUN: {reason}"
        terminalreporter.write_line(line, red=True, bold=True)


@pytest.fixture(scope="session")
def open_stack(pytestconfig):
    """Opens a stack until an ExitStack closes; skips, or fails where they are required, if there can be none."""

    def open_stack(until: ExitStack, *parts: str) -> Stack:
        try:
            return until.enter_context(private_stack(*parts))
        except NotInstallable as error:
            if os.environ.get(REQUIRED) == "1":
                pytest.fail(f"{REQUIRED}=1, and {error}", pytrace=False)
            pytestconfig.stash[_absent].add(str(error))
            pytest.skip(str(error))

    stop_abandoned_servers()
    yield open_stack
    shutil.rmtree(servers_folder(), ignore_errors=True)


@pytest.fixture(scope="session")
def session_stack(open_stack):
    """Starts servers that run until the session ends."""
    with ExitStack() as until:
        yield partial(open_stack, until)


@pytest.fixture(scope="module")
def module_stack(open_stack):
    """Starts servers that run until the module's tests are done."""
    with ExitStack() as until:
        yield partial(open_stack, until)


@pytest.fixture
def new_stack(open_stack):
    """Starts servers that this test alone uses: `new_stack("kafka")` is a Stack; all three without names."""
    with ExitStack() as until:
        yield partial(open_stack, until)


@pytest.fixture(scope="session")
def kafka(session_stack):
    """A running broker: `kafka.specification` is its address."""
    return session_stack("kafka").kafka


@pytest.fixture(scope="session")
def elasticsearch(session_stack):
    """A running node: `elasticsearch.url` is its address, `elasticsearch.specification` our setting."""
    return session_stack("elasticsearch").elasticsearch


@pytest.fixture(scope="session")
def triton(session_stack):
    """A running model server with our repository: `triton.specification` is our setting."""
    return session_stack("triton").triton
