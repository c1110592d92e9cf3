"""The pages agree with the program: every command and setting is documented, every documented command exists."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from ops.docs.reference import PAGES
from tagstream import errors
from tagstream.cli.commands import application
from tagstream.settings import PREFIX, REPOSITORY, Settings

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")


CONTEXT = click.Context(application)


def commands(group: click.Group = application, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name in group.list_commands(CONTEXT):
        command = group.get_command(CONTEXT, name)
        if command is None or command.hidden:  # a former name
            continue
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


def command_at(path: list[str]) -> click.Command:
    """The command that these words of a command line begin with."""
    command: click.Command = application
    for word in path:
        if not isinstance(command, click.Group):
            break
        found = command.get_command(CONTEXT, word)
        assert found is not None, f"tagstream has no command {word!r}"
        command = found
    return command


def shell_lines(text: str) -> Iterator[list[str]]:
    """The commands in the code blocks of a page, without prompts and comments."""
    for block in re.findall(r"```(?:bash|console|sh|text)?\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            command = line.removeprefix("$ ")
            if re.match(r"(\.venv/bin/)?tagstream |make ", command):
                yield shlex.split(command, comments=True)


@pytest.mark.parametrize("name", PAGES)
def test_generated_pages_are_current(name: str) -> None:
    assert (REPOSITORY / name).read_text(encoding="utf-8") == PAGES[name](), "run `make docs`"


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_every_command_and_option_explains_itself(path: tuple[str, ...]) -> None:
    assert f"## `tagstream {' '.join(path)}`" in PAGES["docs/reference/cli.md"]()
    command = command_at(list(path))
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name not in ("order", "directory"):
            assert parameter.help, f"{' '.join(path)} {parameter.name}"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    page = PAGES["docs/reference/settings.md"]()
    assert f"`{PREFIX}{name.upper()}`" in page
    assert str(REPOSITORY) not in page


def test_commands_in_the_readme_exist_and_take_those_options() -> None:
    lines = list(shell_lines(README))
    assert ["make", "demo"] in lines
    assert ["make", "test"] in lines
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    for program, *words in lines:
        if program == "make":
            assert words[0] in targets
            continue
        known = {name for parameter in command_at(words).params for name in parameter.opts}
        known |= {"--help", "--version"}
        given = {word for word in words if word.startswith("--") and word != "--"}
        assert given <= known, f"tagstream {' '.join(words)}"


def test_the_check_before_a_change_runs_the_readmes_test_command() -> None:
    script = (REPOSITORY / ".ci/run").read_text(encoding="utf-8").splitlines()
    assert "make test" in script
    assert "make lint" in script


def test_every_target_of_the_makefile_is_explained_or_internal() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    explained = set(re.findall(r"^([a-z-]+):.*## \S", MAKEFILE, re.MULTILINE))
    assert targets - explained == {"setup-all"}


def test_the_makefile_calls_only_commands_that_exist() -> None:
    for words in re.findall(r"\.venv/bin/tagstream ([a-z -]+)", MAKEFILE):
        assert command_at(words.split()) is not application


def test_the_tree_of_errors_on_the_page_of_the_design_is_the_one_of_the_code() -> None:
    page = (REPOSITORY / "docs/explanation/design.md").read_text(encoding="utf-8")
    drawn = re.search(r"^TagstreamError\n.*?^```", page, re.DOTALL | re.MULTILINE)
    assert drawn is not None
    classes = {name for name, kind in vars(errors).items() if isinstance(kind, type)}
    assert set(re.findall(r"[├└]── (\w+)", drawn[0])) == classes - {"TagstreamError"}
