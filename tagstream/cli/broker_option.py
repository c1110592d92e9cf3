"""The option that names a broker."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

Decorated = TypeVar("Decorated", bound=Callable[..., object])


def kafka_option(meaning: str) -> Callable[[Decorated], Decorated]:
    """`--kafka`, with what it means for this command."""

    def decorate(command: Decorated) -> Decorated:
        option: Any = click.option("--kafka", "kafka", metavar="HOST:PORT[,...]", help=meaning)
        decorated: Decorated = option(command)
        return decorated

    return decorate
