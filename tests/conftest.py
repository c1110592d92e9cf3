"""Fixtures of real servers. Where they cannot be had, the tests that need them are skipped, loudly.

`kafka`, `elasticsearch` and `triton` are each one running server for the whole session: tests share it, so each uses
topics and indices of its own and never stops it. `new_stack("kafka", ...)` starts servers that a test may kill.
"""

import os
import shutil
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from parts import tried_in
from servers import private_stack, servers_folder, stop_abandoned_servers

from ops.stack import NotInstallable, Stack

REQUIRED = "REQUIRE_REAL_SERVERS"
PART = "PART_OF_DEEP_TESTS"
ABSENT = "real servers cannot be had: "


def pytest_collection_modifyitems(config, items):
    part = os.environ.get(PART)
    if part:
        left_out = [item for item, is_tried in zip(items, tried_in(part, items), strict=True) if not is_tried]
        config.hook.pytest_deselected(items=left_out)
        gone = {item.nodeid for item in left_out}
        items[:] = [item for item in items if item.nodeid not in gone]
    assign_to_processes(items)


def assign_to_processes(items):
    """Assigns tests to the processes of a parallel run: a file stays whole, and a folder's tests on real servers too.

    So each server of a folder is started once. Only `--dist loadgroup` reads the marks.
    """
    for item in items:
        if "open_stack" in item.fixturenames:
            folder = item.path.relative_to(Path(__file__).parent).parts[0]
            item.add_marker(pytest.mark.xdist_group(f"real servers of {folder}"))
        elif "mutants" not in item.path.parts:  # each of those is a run of its own
            item.add_marker(pytest.mark.xdist_group(str(item.path)))


def pytest_terminal_summary(terminalreporter):
    # From the reports and not from this process's memory: in a parallel run other processes ran the tests.
    skipped = {report.longrepr[2] for report in terminalreporter.stats.get("skipped", ())}
    for reason in sorted(reason for reason in skipped if ABSENT in reason):
        line = f"TESTS ON REAL SERVERS DID NOT RUN: {reason.partition(ABSENT)[2]}"
        terminalreporter.write_line(line, red=True, bold=True)


@pytest.fixture(scope="session")
def open_stack():
    """Opens a stack until an ExitStack closes; skips, or fails where they are required, if there can be none."""

    def open_stack(until: ExitStack, *parts: str) -> Stack:
        try:
            return until.enter_context(private_stack(*parts))
        except NotInstallable as error:
            if os.environ.get(REQUIRED) == "1":
                pytest.fail(f"{REQUIRED}=1, and {error}", pytrace=False)
            pytest.skip(f"{ABSENT}{error}")

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
