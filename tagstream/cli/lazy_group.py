"""A group whose commands are named in a table, and imported when one of them is called.

Each package answers its own commands, and some take seconds to import. So `--help`, `--version` and the completion of
names read the table alone; a package that cannot be imported harms only its own commands.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem
from click.utils import make_default_short_help

from tagstream.cli.options import TagstreamGroup


class CommandEntry(NamedTuple):
    """A command of the table: where it is, as `module:attribute`, and the first sentence of its help."""

    target: str
    summary: str

    def load(self) -> click.Command:
        """Imports the command."""
        module, _, attribute = self.target.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command


class LazyGroup(TagstreamGroup):
    """A group of the commands in `table`, by their names."""

    def __init__(self, *arguments: Any, table: Mapping[str, CommandEntry], **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*self.table, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.table.get(cmd_name)
        return entry.load() if entry else super().get_command(ctx, cmd_name)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        limit = formatter.width - 6 - max(map(len, self.table))
        rows = [(name, make_default_short_help(self.table[name].summary, limit)) for name in sorted(self.table)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = [name for name in sorted(self.table) if name.startswith(incomplete)]
        found = [CompletionItem(name, help=self.table[name].summary) for name in names]
        return found + click.Command.shell_complete(self, ctx, incomplete)
