"""`python -m ops.stack`: what `make stack-up` and `make stack-down` call, and one server's levers for trying faults."""

import argparse
import sys
from collections.abc import Callable, Mapping

from ops.stack.compose_env import write_compose_env
from ops.stack.errors import StackError
from ops.stack.pins import write_jar_lock
from ops.stack.stack import DEFAULT, PARTS, Stack


def main() -> int:
    """Does what the command line says; 1 and one message where it cannot."""
    options = _parser().parse_intermixed_args()
    try:
        _ACTIONS[options.action](Stack(options.name), options.part)
    except StackError as error:
        print(f"stack: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _up(stack: Stack, parts: list[str]) -> None:
    print(f"stack {stack.name}: starting (the first time fetches the servers, which takes a minute or two)", flush=True)
    stack.up(parts or PARTS)
    _status(stack, [])
    print(f"written to {stack.env_file}: source it, then start tagstream")


def _down(stack: Stack, _: list[str]) -> None:
    stack.down()
    print(f"stack {stack.name} is down; its data stays in {stack.folder}")


def _status(stack: Stack, _: list[str]) -> None:
    for part in stack.parts:
        process = part.process
        state = f"{part.specification}  (process {process.pid}, {part.log})" if process else "not running"
        print(f"{part.name:14} {state}")


def _each(act: Callable[[Stack, str], None]) -> Callable[[Stack, list[str]], None]:
    def act_on_each(stack: Stack, parts: list[str]) -> None:
        if not parts:
            raise StackError(f"say which part: {', '.join(PARTS)}")
        for part in parts:
            act(stack, part)

    return act_on_each


_ACTIONS: Mapping[str, Callable[[Stack, list[str]], None]] = {
    "up": _up,
    "down": _down,
    "status": _status,
    "stop": _each(lambda stack, name: stack.part(name).stop()),
    "kill": _each(lambda stack, name: stack.part(name).kill()),
    "pause": _each(lambda stack, name: stack.part(name).pause()),
    "resume": _each(lambda stack, name: stack.part(name).resume()),
    "restart": _each(lambda stack, name: stack.part(name).restart()),
    "lock": lambda *_: write_jar_lock(),
    "compose-env": lambda *_: write_compose_env(),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ops.stack", description=__doc__)
    parser.add_argument("action", choices=_ACTIONS)
    parser.add_argument("part", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; up and status take all without")
    parser.add_argument("--name", default=DEFAULT, help="which stack; several can run at once")
    return parser


if __name__ == "__main__":
    sys.exit(main())
