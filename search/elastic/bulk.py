"""Bulk requests: actions in, the result of each out.

`outcome` alone decides what the answer to an action means. An action that may succeed later is tried again by itself,
at the expense of the client's retry budget.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, Literal

from search.elastic.client import ATTEMPTS, ElasticClient, error_type, pause
from tagstream.errors import Fatal, IndexUnavailable, RejectedDocument

MAX_BULK_BYTES = 768 * 1024  # the HTTP client sends more than 1 MiB in one piece, and holds up the event loop
MAX_BULK_ACTIONS = 2_000
_STRICT = "strict_dynamic_mapping_exception"
_NEVER_HERE = frozenset({401, 403})


class ActionOutcome(Enum):
    """The meaning of the answer to one action."""

    DONE = "done"
    CONFLICT = "conflict"  # a newer version is there already
    RETRY = "retry"
    REJECTED = "rejected"  # this document is never taken
    FATAL = "fatal"  # no document of its kind is taken: our deployment is wrong


@dataclass(frozen=True, slots=True)
class Action:
    """One action of a bulk request.

    Attributes:
        kind: the kind of action.
        index: the index.
        id: the id of the document.
        source: the document as JSON; empty for a deletion.
        version: an external version: a newer stored document stays, and an equal one too if `only_newer`.
        only_newer: whether an equal version stays.
        seen: the sequence number and the primary term that were read; the action fails if the document has changed.
        may_be_refused: whether a refusal of the document is a result like any other, and no error.
    """

    kind: Literal["index", "create", "delete"]
    index: str
    id: str
    source: bytes = b""
    version: int | None = None
    only_newer: bool = False
    seen: tuple[int, int] | None = None
    may_be_refused: bool = False

    def lines(self) -> bytes:
        """Returns the lines that are sent."""
        head: dict[str, object] = {"_index": self.index, "_id": self.id}
        if self.version is not None:
            # Mostly equal versions pass, so that a repair may write again what was lost.
            head |= {"version": self.version, "version_type": "external" if self.only_newer else "external_gte"}
        if self.seen is not None:
            head |= {"if_seq_no": self.seen[0], "if_primary_term": self.seen[1]}
        first = json.dumps({self.kind: head}).encode()
        return first if self.kind == "delete" else first + b"\n" + self.source


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one action: the document's version after it, and whether a deleted document was there."""

    outcome: ActionOutcome
    version: int = 0
    found: bool = False


def outcome(item: Mapping[str, Any]) -> ActionOutcome:
    """Returns the meaning of an item of a bulk answer, such as `{"index": {"status": 409, "error": …}}`."""
    ((kind, answer),) = item.items()
    status, error = int(answer["status"]), answer.get("error")
    if 200 <= status < 300:
        return ActionOutcome.DONE
    if status == 404 and kind == "delete" and error is None:
        return ActionOutcome.DONE
    if status == 409:
        return ActionOutcome.CONFLICT
    if status in (408, 429) or status >= 500 or error_type(error) == "cluster_block_exception":
        return ActionOutcome.RETRY
    if status in (404, *_NEVER_HERE) or _STRICT in (error_type(error), error_type((error or {}).get("caused_by"))):
        return ActionOutcome.FATAL
    return ActionOutcome.REJECTED


async def send(client: ElasticClient, actions: Sequence[Action], *, refresh: bool = False) -> list[Result]:
    """Does all actions, in requests of bounded size; answers in their order.

    Raises:
        IndexUnavailable: some are not done, however often they were tried; the others are.
        RejectedDocument: one is never taken; the others of its request are done.
        Fatal: a mapping lacks a field, or we may not write.
    """
    results: list[Result] = []
    for chunk in _chunks(actions):
        results += await _send_chunk(client, chunk, refresh)
    return results


async def _send_chunk(client: ElasticClient, chunk: Sequence[Action], refresh: bool) -> list[Result]:
    results: dict[int, Result] = {}
    waiting = list(range(len(chunk)))
    for attempt in range(ATTEMPTS):
        # Lines that are bytes already: the client sends them, its types do not know it.
        body: list[Any] = [chunk[place].lines() for place in waiting]
        deadline = f"{max(1, client.timeout_seconds - 1)}s"  # the server gives up before we do, and says why
        answer = await client.call(partial(client.raw.bulk, operations=body, refresh=refresh, timeout=deadline))
        delayed, reason = [], None
        for place, item in zip(waiting, answer["items"], strict=True):
            found = outcome(item)
            if found is ActionOutcome.RETRY:
                delayed.append(place)
                reason = item
            elif found in (ActionOutcome.DONE, ActionOutcome.CONFLICT):
                told = next(iter(item.values()))
                results[place] = Result(found, told.get("_version", 0), told.get("result") == "deleted")
            elif found is ActionOutcome.REJECTED and chunk[place].may_be_refused:
                results[place] = Result(found)
            else:
                _refuse(found, chunk[place], item, client)
        if not delayed:
            return [results[place] for place in range(len(chunk))]
        if attempt + 1 == ATTEMPTS or not client.budget.take():
            break
        waiting = delayed
        await pause(attempt)
    raise IndexUnavailable(
        f"Elasticsearch at {client.address} put off {len(delayed)} of {len(chunk)} actions: {_reason(reason)}."
    )


def _refuse(found: ActionOutcome, action: Action, item: Mapping[str, Any], client: ElasticClient) -> None:
    if found is ActionOutcome.FATAL:
        raise Fatal(
            f"Elasticsearch at {client.address} takes no document like {action.id!r} in {action.index}: "
            f"{_reason(item)}. Start this version with its own templates (it applies them), or upgrade it."
        )
    name = action.id.partition(":")[2] if action.id.startswith("p:") else action.id
    raise RejectedDocument(f"Elasticsearch refuses the document {name!r} in {action.index}: {_reason(item)}.")


def _reason(item: Mapping[str, Any] | None) -> str:
    told = next(iter(item.values())) if item else {}
    error = told.get("error") or {}
    return f"{told.get('status')} {error.get('type', '')}: {str(error.get('reason', ''))[:300]}"


def _chunks(actions: Sequence[Action]) -> Iterator[Sequence[Action]]:
    start, size = 0, 0
    for place, action in enumerate(actions):
        if place > start and (size + len(action.source) > MAX_BULK_BYTES or place - start >= MAX_BULK_ACTIONS):
            yield actions[start:place]
            start, size = place, 0
        size += len(action.source) + 200
    if start < len(actions):
        yield actions[start:]
