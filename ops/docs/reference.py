"""Writes the pages of docs/reference that would otherwise drift from the code.

python -m ops.docs.reference [--check]      --check writes nothing and fails if a page is not current
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click

from ops.docs.json_lines import json_lines_page
from ops.docs.mappings import mappings_page
from ops.docs.metrics import metrics_page
from ops.docs.parquet import parquet_page
from ops.docs.search_speed import search_speed_page
from ops.docs.topics import SCHEMAS, schema_file, topics_page
from tagstream.cli.commands import application
from tagstream.settings import PREFIX, RENAMED_SETTINGS, REPOSITORY, Settings, limits

_WIDTH = 100
_SHELLS = r"""## Shell completion

| shell | add to | this line |
|---|---|---|
| bash (4.4 or newer) | `~/.bashrc` | `eval "$(_TAGSTREAM_COMPLETE=bash_source tagstream)"` |
| zsh | `~/.zshrc` | `eval "$(_TAGSTREAM_COMPLETE=zsh_source tagstream)"` |
| fish | `~/.config/fish/completions/tagstream.fish` | `_TAGSTREAM_COMPLETE=fish_source tagstream \| source` |

`tagstream` must be on the `PATH` then: in a clone, `export PATH="$PWD/.venv/bin:$PATH"`."""


def command_line_page() -> str:
    """docs/reference/cli.md: what `--help` says, of every command."""
    parts = [
        "# The command line",
        "This page is for people who look up a command or an option. It is written by `make docs` from the program "
        "itself.",
        _SHELLS,
        "## Answers and exit codes",
        "Answers go to standard output, everything else to standard error. With `--json` standard output holds one "
        "JSON document a line and nothing else.",
    ]
    parts += [f"## `{path}`\n\n```\n{text}\n```" for path, text in _help_of(application, "tagstream", None)]
    return "\n\n".join(parts) + "\n"


def _help_of(command: click.Command, name: str, parent: click.Context | None) -> Iterator[tuple[str, str]]:
    context = click.Context(command, parent, name, terminal_width=_WIDTH, color=False, **application.context_settings)
    text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    yield context.command_path, text
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            if found is not None and not found.hidden:
                yield from _help_of(found, child, context)


def settings_page() -> str:
    """docs/reference/settings.md: every setting with its default, its limits and its reason."""
    parts = [
        "# Settings",
        "This page is for people who configure tagstream. It is written by `make docs` from `tagstream/settings/`.",
        "A setting is read from its variable, else from the TOML file that `--config` or `TAGSTREAM_CONFIG` names, "
        "else it has its default. An option of a command wins over all of them. A key that is no setting is refused, "
        "and so is a variable that begins with `TAGSTREAM_`.",
        '```toml\n# tagstream.toml\nlanguages = ["en", "und", "fr"]\nbatch_deadline_ms = 20\n```',
    ]
    for group in Settings.__bases__:
        subject = (group.__doc__ or "").removeprefix("Settings of ").rstrip(".")
        parts.append(f"## {subject[:1].upper()}{subject[1:]}")
        parts += [_setting_entry(name) for name in group.__annotations__ if name in Settings.model_fields]
    return "\n\n".join(parts) + "\n"


def _setting_entry(name: str) -> str:
    setting = Settings.model_fields[name]
    bounds = f"; {limits(name)}" if limits(name) else ""
    return (
        f"### `{name}`\n\n`{PREFIX}{name.upper()}`, default `{_shown(setting.default)}`{bounds}\n\n"
        f"{setting.description}{_former_name(name)}"
    )


def _former_name(name: str) -> str:
    former = [before for before, present in RENAMED_SETTINGS.items() if present == name]
    return f" Was called `{former[0]}`, which works in this version only." if former else ""


def _shown(default: Any) -> str:
    """A default without the place of this copy of the repository."""
    if isinstance(default, frozenset):
        return ",".join(sorted(default))
    text = str(default)
    for folder, shown in ((REPOSITORY, "."), (REPOSITORY.parent, "..")):
        if Path(text).is_absolute() and Path(text).is_relative_to(folder):
            return f"{shown}/{Path(text).relative_to(folder)}"
    return text


_FOLDER = "docs/reference"
PAGES: dict[str, Callable[[], str]] = {
    f"{_FOLDER}/cli.md": command_line_page,
    f"{_FOLDER}/settings.md": settings_page,
    f"{_FOLDER}/json-lines.md": json_lines_page,
    f"{_FOLDER}/topics.md": topics_page,
    f"{_FOLDER}/metrics.md": metrics_page,
    f"{_FOLDER}/index-mappings.md": mappings_page,
    f"{_FOLDER}/parquet.md": parquet_page,
    f"{_FOLDER}/search-speed.md": search_speed_page,
    **{f"{_FOLDER}/schemas/{name}.json": partial(schema_file, name) for name in SCHEMAS},
}


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail if a page is not current.")
def main(check: bool) -> None:
    """Write the generated pages."""
    for name, page in PAGES.items():
        path = REPOSITORY / name
        text = page()
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            raise click.ClickException(f"{name} is not what the code says: run `make docs`")


if __name__ == "__main__":
    main()
