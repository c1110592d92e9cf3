"""The table of commands: what `--help` says without importing a command is what the command says itself."""

import os
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


def completion(instruction: str, words: str = "", position: int = 0) -> str:
    """What the program prints for a shell that completes a line."""
    variables = {"_TAGSTREAM_COMPLETE": instruction, "COMP_WORDS": words, "COMP_CWORD": str(position)}
    done = subprocess.run(
        [sys.executable, "-m", "tagstream"], env=os.environ | variables, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_given_its_script(shell: str) -> None:
    if shell == "bash" and sys.platform == "darwin":
        pytest.skip("click asks for a newer bash than the one of macOS")
    script = completion(f"{shell}_source")
    assert f"_TAGSTREAM_COMPLETE={shell}_complete" in script


@pytest.mark.parametrize(
    ("words", "position", "expected"),
    [
        ("tagstream se", 1, ["search", "segment", "serve"]),
        ("tagstream search --ind", 2, ["--index"]),
        ("tagstream dead-letters r", 2, ["requeue"]),
        ("tagstream --ver", 1, ["--version"]),
    ],
)
def test_names_are_completed(words: str, position: int, expected: list[str]) -> None:
    completed = completion("bash_complete", words, position).splitlines()
    assert [line.partition(",")[2] for line in completed] == expected


def test_completing_a_command_imports_none() -> None:
    context = click.Context(application)
    assert [item.value for item in application.shell_complete(context, "de")] == ["dead-letters", "demo"]
