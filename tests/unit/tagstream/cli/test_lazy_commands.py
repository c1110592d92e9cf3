"""The table of commands: what `--help` says without importing a command is what the command says itself."""

import subprocess
import sys

import click
import pytest
from click.utils import make_default_short_help

from tagstream.cli.commands import COMMANDS, application

# What takes long to import, and no help needs: the packages of the commands, and the libraries below them.
HEAVY = ["ingest", "search", "workers", "training", "ops", "numpy", "openvino", "torch", "faust", "kafka", "pydantic"]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_summary_of_the_table_is_that_of_the_command(name: str) -> None:
    command = COMMANDS[name].load()
    assert command.name == name
    assert make_default_short_help(command.help or "", 1000) == COMMANDS[name].summary


def test_no_command_is_added_beside_the_table() -> None:
    assert application.list_commands(click.Context(application)) == sorted(COMMANDS)


@pytest.mark.parametrize("arguments", [["--help"], []], ids=["help", "nothing"])
def test_help_imports_no_command(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom tagstream.cli import main\n"
        f"try:\n    main({arguments})\n"
        f"finally:\n    print(sorted(set({HEAVY}) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == "[]", done.stderr
