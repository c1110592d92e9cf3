"""`tagstream plugins`: the installed plug-ins, and whether each can be used."""

import click
from rich.table import Table

from tagstream.cli.console import console, note, write_lines
from tagstream.cli.options import TagstreamCommand, json_option
from tagstream.plugins import Plugin, installed_plugins, plugin_fault
from tagstream.text.terminal_text import visible


@click.command(cls=TagstreamCommand)
@json_option
def plugins(as_json: bool) -> None:
    """List the sources, indexes and captioners that installed packages add.

    Loads each of them, and says why one cannot be used. docs/how-to/add-a-source.md tells how to write one.
    """
    listed = [(plugin, plugin_fault(plugin)) for plugin in installed_plugins()]
    if as_json:
        write_lines(_document(plugin, fault) for plugin, fault in listed)
        return
    if not listed:
        note("no plug-ins are installed; docs/how-to/add-a-source.md tells how to write one")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("kind", "name", "package", "version", "state"):
        table.add_column(heading, overflow="fold")
    for plugin, fault in listed:
        words = (plugin.kind, plugin.name, plugin.package, plugin.version, fault or "ready")
        table.add_row(*map(visible, words))
    console().print(table)


def _document(plugin: Plugin, fault: str | None) -> dict[str, str | bool | None]:
    return {
        "kind": str(plugin.kind),
        "name": plugin.name,
        "package": plugin.package,
        "version": plugin.version,
        "loads": fault is None,
        "fault": fault,
    }
