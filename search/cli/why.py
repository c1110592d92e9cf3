"""The answer to `tagstream trends --why NAME`: what counts as one with a name, and for which reasons."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from search.events.names import NameAliases, Reason
from search.index import EntityIndex
from tagstream.detections import TrendState
from tagstream.text.terminal_text import visible

LEARNT_FROM = 1_000
_NAME_LENGTH = 200
_SHOWN = 12


async def learnt_names(
    index: EntityIndex,
    separate: Sequence[str],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    best: bool = False,
) -> tuple[NameAliases, Sequence[TrendState]]:
    """Returns the aliases that the stored trends of a time show, and these trends; `separate` names have none.

    Of each trend it is the newest state, or the `best`.
    """
    states = await index.stored_trends(since=since, until=until, size=LEARNT_FROM, best=best)
    names = NameAliases(separate)
    names.learn(states)
    return names, states


def why_document(names: NameAliases, states: Sequence[TrendState], name: str) -> dict[str, Any]:
    """Returns the reasons as JSON."""
    aliases = names.aliases(name)
    return {
        "name": name,
        "key": names.canonical(name),
        "text": names.spelling(name),
        "separate": names.is_separate(name),
        "trended": any(state.key in aliases for state in states),
        "aliases": list(aliases[1:]),
        "reasons": [asdict(reason) for reason in names.why(name)],
        "facets": [list(facet) for facet in names.facets(name)],
    }


def why_lines(names: NameAliases, states: Sequence[TrendState], name: str) -> list[str]:
    """Returns the reasons as lines for people."""
    aliases = names.aliases(name)
    lines = [f"{visible(name, _NAME_LENGTH)} counts as {visible(names.spelling(name), _NAME_LENGTH)}"]
    if names.is_separate(name):
        lines[0] = f"{visible(name, _NAME_LENGTH)} counts for itself: the setting separate_names has it"
    elif len(aliases) == 1:
        lines[0] = f"{visible(name, _NAME_LENGTH)} counts for itself: nothing else that trended is the same name"
    if not any(state.key in aliases for state in states):
        lines.append("it has not trended, so nothing is learnt of it")
    lines += [_reason_line(reason) for reason in names.why(name)]
    facets = names.facets(name)
    if len(facets) > 1:
        lines.append("its companions fall into groups, so that it may be more than one thing:")
        lines += [f"  {visible(', '.join(facet[:_SHOWN]), 4 * _NAME_LENGTH)}" for facet in facets]
    return lines


def _reason_line(reason: Reason) -> str:
    shared = visible(", ".join(reason.companions[:_SHOWN]), 4 * _NAME_LENGTH)
    alias, canonical = (visible(key, _NAME_LENGTH) for key in (reason.alias, reason.canonical))
    match reason.rule:
        case "same key":
            return f"  {alias}: one key of several types ({shared})"
        case "same letters":
            return f"  {alias} = {canonical}: the same letters"
        case "initials":
            return f"  {alias} = {canonical}: its initials, and both are mentioned with {shared}"
