"""The command line of a training script: a mistake becomes one line on standard error and an exit code."""

import argparse
import math
import sys
from collections.abc import Callable
from typing import NoReturn

from tagstream.errors import BadSettings, TagstreamError

_INTERRUPTED = 130


def run_script(main: Callable[[], None]) -> None:
    """Runs a script; exits with 1 and the message of an error of ours or of the system, or with 130 after Ctrl-C."""
    try:
        main()
    except (TagstreamError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt as interruption:
        print(f"interrupted: {interruption or 'nothing more was done'}", file=sys.stderr)
        sys.exit(_INTERRUPTED)


class ScriptParser(argparse.ArgumentParser):
    """A parser that raises `BadSettings` where `argparse` prints how a command is used and exits."""

    def error(self, message: str) -> NoReturn:
        raise BadSettings(f"{message}: see --help")


def positive(text: str) -> int:
    """Returns the whole number above 0 that an argument spells."""
    return _at_least(1, text)


def not_negative(text: str) -> int:
    """Returns the whole number, 0 or more, that an argument spells."""
    return _at_least(0, text)


def _at_least(least: int, text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
    if number < least:
        raise argparse.ArgumentTypeError(f"{text} is less than {least}")
    return number


def share_of_thousand(text: str) -> float:
    """Returns the number from 0 to 1,000 that an argument spells."""
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if math.isnan(number) or not 0 <= number <= 1000:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1000")
    return number
