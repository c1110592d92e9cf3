"""From what the user names (`jsonl:posts.jsonl`) to the source that reads it."""

import re

from ingest.sources.base import Source
from ingest.sources.jsonl import STANDARD_INPUT, JsonlSource
from ingest.sources.simulate.source import DEFAULT_POSTS, SimulatedSource
from tagstream.errors import BadSettings

KINDS = "jsonl:PATH, jsonl:- or - (JSON lines from standard input), simulate:SEED[?posts=N]"


def open_source(spec: str) -> Source:
    """The source a specification names; it reads nothing before its own `open`.

    Raises:
        BadSettings: there is no such kind of source, or its argument makes no sense.
    """
    kind, _, argument = spec.partition(":")
    if spec == STANDARD_INPUT:
        return JsonlSource(STANDARD_INPUT)
    if kind == "jsonl" and argument:
        return JsonlSource(argument)
    if kind == "simulate":
        return _simulated(spec, argument)
    raise BadSettings(f"{spec!r} names no source; there are {KINDS}")


def _simulated(spec: str, argument: str) -> SimulatedSource:
    parts = re.fullmatch(r"([0-9]{1,20})(?:\?posts=([0-9]{1,20}))?", argument)
    if parts is None:
        raise BadSettings(f"{spec!r} is not simulate:SEED or simulate:SEED?posts=N, with whole numbers from 0")
    return SimulatedSource(int(parts[1]), DEFAULT_POSTS if parts[2] is None else int(parts[2]))
