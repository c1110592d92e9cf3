"""The options that commands share, and the settings of an invocation."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tagstream.cli.errors import Interrupted, Invocation, say
from tagstream.cli.startup import note_sigterm, was_terminated
from tagstream.errors import BadSettings

if TYPE_CHECKING:
    from tagstream.settings import Settings

Answer = TypeVar("Answer")
Decorated = TypeVar("Decorated", bound=Callable[..., object])


def _set_debug(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Invocation).debug = True


def _set_config(context: click.Context, _: click.Parameter, value: Path | None) -> None:
    if value is not None:
        context.ensure_object(Invocation).config = value


def common_options() -> list[click.Option]:
    """Returns the options that every command takes, before or after its name."""
    return [
        click.Option(
            ["--config"],
            type=click.Path(path_type=Path),
            expose_value=False,
            callback=_set_config,
            metavar="FILE",
            help="A TOML file of settings (docs/reference/settings.md); also TAGSTREAM_CONFIG.",
        ),
        click.Option(
            ["--debug"],
            is_flag=True,
            expose_value=False,
            callback=_set_debug,
            is_eager=True,
            help="Show the traceback of an error.",
        ),
    ]


class TagstreamCommand(click.Command):
    """A command with the common options, which never takes one of its options for a value or an argument."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.params.extend(common_options())

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        try:
            rest = super().parse_args(context, arguments)
        except click.NoSuchOption as error:
            if any(parameter.nargs == -1 for parameter in self.params) and not error.option_name.startswith("--"):
                error.message += "; a word that begins with - goes after a --"
            raise
        for parameter in self.params:
            _refuse_options_as_values(context, parameter, _option_names(self))
        return rest


def _refuse_options_as_values(context: click.Context, parameter: click.Parameter, names: frozenset[str]) -> None:
    """Refuses what looks like an option of the command and was taken for a word, behind a `--` or as a value."""
    given = context.params.get(parameter.name or "")
    for value in given if isinstance(given, tuple) else (given,):
        word = str(value).partition("=")[0] if isinstance(value, str | Path) else ""
        if not word.startswith("--") or word not in names:
            continue
        if isinstance(parameter, click.Argument):
            raise click.UsageError(f"after -- nothing is an option: give {word} before it", context)
        raise click.UsageError(f"{parameter.opts[0]} needs a value, and {word} is an option", context)


def _option_names(command: click.Command) -> frozenset[str]:
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    return frozenset(name for option in options for name in option.opts) | {"--help"}


class TagstreamGroup(click.Group):
    """A group of commands that has the common options itself."""

    command_class = TagstreamCommand

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.params.extend(common_options())

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        try:
            return super().parse_args(context, arguments)
        except click.NoSuchOption as error:
            commands = [(name, self.get_command(context, name)) for name in self.list_commands(context)]
            where = [name for name, command in commands if command and error.option_name in _option_names(command)]
            if not where:
                raise
            meant = next((word for word in arguments if word in where), where[0])
            example = f"{context.command_path} {meant} {error.option_name}"
            raise click.UsageError(f"{error.option_name} goes after the command, as in: {example}", context) from None


TagstreamGroup.group_class = TagstreamGroup


def index_option(command: Decorated) -> Decorated:
    """Adds `--index`, as `index_spec`."""
    return click.option(
        "--index",
        "index_spec",
        metavar="SPEC",
        help="The index: sqlite:PATH or elasticsearch:URL. [default: sqlite:tagstream.db]",
    )(command)


def models_option(command: Decorated) -> Decorated:
    """Adds `--models`, as `models_spec`."""
    return click.option(
        "--models",
        "models_spec",
        metavar="SPEC",
        help="A model repository, grpc://HOST:PORT of a Triton server, or stub: for a tagger that finds fixed words. "
        "[default: the shipped models]",
    )(command)


def json_option(command: Decorated) -> Decorated:
    """Adds `--json`, as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document a line, for machines.")(command)


def kafka_option(meaning: str) -> Callable[[Decorated], Decorated]:
    """Adds `--kafka`, with the help that the command gives."""

    def decorate(command: Decorated) -> Decorated:
        return click.option("--kafka", "kafka", metavar="HOST:PORT[,...]", help=meaning)(command)

    return decorate


def current_settings(**given: str | float | None) -> "Settings":
    """Returns the settings of this invocation; values of the command line win.

    Raises:
        BadSettings: a value outside its limits, wherever it was given.
        UnreadableInput: the settings file cannot be read.
    """
    # Imported here: pydantic takes longer to load than all that `--help` needs.
    from pydantic import ValidationError

    from tagstream.posts import path_as_text
    from tagstream.settings import Settings, load_settings, refused, shown_value

    invocation = click.get_current_context().ensure_object(Invocation)
    settings = load_settings(os.environ, invocation.config)
    options = {name: value for name, value in given.items() if value is not None}
    for name, value in options.items():
        if isinstance(value, str) and (shown := path_as_text(value)) != value:
            raise BadSettings(f"--{name} {shown}: the path is not UTF-8, which a setting must be: give it another name")
    try:
        return Settings.model_validate(settings.model_dump() | options)
    except ValidationError as error:
        raise refused(
            error, lambda name: f"--{name.replace('_', '-')} {shown_value(name, options.get(name))}"
        ) from None


def run_until_stopped(
    work: Callable[[asyncio.Event], Coroutine[Any, Any, Answer]], *, is_service: bool = False
) -> Answer:
    """Runs `work`, whose event the first SIGINT or SIGTERM sets, so that it can finish what is in flight.

    SIGTERM is the orderly end of a service, which then exits with 0; of any other work it is an interruption.

    Raises:
        Interrupted: a second signal came: the work was cut short.
    """

    async def guarded() -> Answer:
        stop = asyncio.Event()
        task = asyncio.current_task()

        def on_signal(number: signal.Signals) -> None:
            if is_service and number == signal.SIGTERM:
                note_sigterm()
            if stop.is_set() and task is not None:
                task.cancel()
            elif not stop.is_set():
                stop.set()
                say("stopping: finishing what is in flight; once more to stop at once")

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, on_signal, number)
        if was_terminated():  # before anybody could be told
            stop.set()
        return await work(stop)

    try:
        answer = asyncio.run(guarded())
        if was_terminated():  # the loop has given the signal back its default: it would end the report of the work
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return answer
    except asyncio.CancelledError:
        raise Interrupted("stopped at once; what was not finished is read again by the next run") from None
