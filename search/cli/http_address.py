"""The address of `--http`."""

import click


class HttpAddress(click.ParamType):
    """An address to listen on: `HOST:PORT`, or `:PORT` and `PORT` on this machine alone."""

    name = "host:port"

    def convert(
        self, value: str | tuple[str, int], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        host, _, port = value.rpartition(":")
        host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
        if not port.isdigit() or not 0 <= int(port) < 65_536:
            self.fail(f"{value!r} is no address such as 127.0.0.1:8080", param, ctx)
        return host, int(port)
