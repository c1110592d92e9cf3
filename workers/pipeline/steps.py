"""The stages that both shapes of the pipeline share: prepare ─▶ tag ─▶ index. Each is checked by canaries.

Owns the work and the cost of each stage, and the dead letter of a poison post. Knows nothing of where events come from
or who acknowledges them. Deletions, erasures, statuses of accounts and dead letters pass through in their order,
without the model.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime
from traceback import extract_tb
from typing import TypeVar

from search.index import Change, Indexable
from search.thumbnails import thumbnails_of
from tagstream.dead_letter import dead_letter_of
from tagstream.errors import Fatal, Poison, Retryable
from tagstream.posts import DeadLetter, Event, Post, TaggedPost
from tagstream.runtime.metrics import EventOutcome
from workers.pipeline.canaries import CanaryCheck
from workers.pipeline.canary_posts import canary_answers, canary_posts
from workers.pipeline.runner import Size, Stage, StageLimits
from workers.tagger.interface import NO_IMAGE_CONTEXT, ImageContext, PreparedPost, Tagger

Input = TypeVar("Input")
Answer = TypeVar("Answer")

# A row of 8 columns, its copy in a batch, and the word it was cut from with its offsets.
_BYTES_A_TOKEN = 256


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event on its way in. `origin` is its key among dead letters, `cursor` where its source goes on after it.

    `original`: the bytes that it was read from, where a dead letter is to keep these and not the event as JSON.
    `image_context`: what the photos of a post show, once `workers/images/step.py` has looked.
    """

    event: Event
    origin: str
    cursor: str
    observed_at: datetime
    original: bytes | None = None
    image_context: ImageContext = NO_IMAGE_CONTEXT


@dataclass(frozen=True, slots=True)
class PreparedArrival:
    """An arrival with its model input; None for whatever is not a post."""

    arrival: Arrival
    prepared: PreparedPost | None


@dataclass(frozen=True, slots=True)
class Tagged:
    """An arrival and the change of the index that it leads to."""

    arrival: Arrival
    change: Change


def bytes_of(event: Event) -> int:
    """Returns roughly how many bytes an event takes in memory."""
    if isinstance(event, Post):
        pictures = sum([len(media.thumbnail or b"") + len(media.alt or "") for media in event.media])
        return 2048 + 4 * len(event.text) + pictures
    return 1024 + (len(event.body) if isinstance(event, DeadLetter) else 0)


def prepare(tagger: Tagger, executor: Executor, limits: StageLimits) -> Stage[Arrival, PreparedArrival]:
    """Makes the stage that turns posts into model input: hashtags segmented, words cut into pieces."""

    def prepare_all(arrivals: Sequence[Arrival]) -> list[PreparedPost]:
        # Nothing else is prepared: a deletion that is examined beside a failing post must not fail with it.
        posts = [(arrival.event, arrival.image_context) for arrival in arrivals if isinstance(arrival.event, Post)]
        return tagger.prepare([post for post, _ in posts], [context for _, context in posts])

    async def work(arrivals: Sequence[Arrival]) -> list[PreparedArrival]:
        posts = {index: arrival for index, arrival in enumerate(arrivals) if isinstance(arrival.event, Post)}
        answers = await _compute(executor, prepare_all, posts)
        return [PreparedArrival(arrival, answers.get(index)) for index, arrival in enumerate(arrivals)]

    def replacement(arrival: Arrival, error: Exception) -> Arrival:
        return with_dead_letter(arrival, error, EventOutcome.UNTAGGABLE)

    async def dead_letter(arrival: Arrival, error: Exception) -> PreparedArrival:
        return PreparedArrival(replacement(arrival, error), None)

    def examine_all(arrivals: Sequence[Arrival]) -> dict[int, Exception]:
        return failures(lambda arrival: prepare_all([arrival]), arrivals)

    async def examine(arrivals: Sequence[Arrival]) -> Mapping[int, Exception]:
        return await asyncio.get_running_loop().run_in_executor(executor, examine_all, arrivals)

    async def canaries() -> list[Arrival]:
        return canary_arrivals()

    def size(arrival: Arrival) -> Size:
        return Size(size_bytes=bytes_of(arrival.event))

    return Stage("prepare", work, dead_letter, size, limits, CanaryCheck(canaries, examine, replacement))


def tag(tagger: Tagger, executor: Executor, limits: StageLimits) -> Stage[PreparedArrival, Tagged]:
    """Makes the stage that finds the entities of posts, a batch of one length bucket at a time."""

    async def work(values: Sequence[PreparedArrival]) -> list[Tagged]:
        inputs = {index: value.prepared for index, value in enumerate(values) if value.prepared is not None}
        answers = await _compute(executor, tagger.tag, inputs)
        return [_tagged(value.arrival, answers.get(index)) for index, value in enumerate(values)]

    async def dead_letter(value: PreparedArrival, error: Exception) -> Tagged:
        return _tagged(with_dead_letter(value.arrival, error, EventOutcome.UNTAGGABLE), None)

    async def canaries() -> list[PreparedArrival]:
        arrivals = canary_arrivals()
        posts = {index: arrival.event for index, arrival in enumerate(arrivals) if isinstance(arrival.event, Post)}
        prepared = await _compute(executor, tagger.prepare, posts)
        return [PreparedArrival(arrival, prepared[index]) for index, arrival in enumerate(arrivals)]

    def size(value: PreparedArrival) -> Size:
        size_bytes = bytes_of(value.arrival.event)
        if value.prepared is None:
            return Size(size_bytes=size_bytes)
        length, sequences = value.prepared.length, value.prepared.sequences
        return Size(length, sequences, size_bytes + _BYTES_A_TOKEN * length * sequences)

    # No `examine`: alone a post costs the model as much as several together, so poison is found by splitting.
    return Stage("tag", work, dead_letter, size, limits, CanaryCheck(canaries))


def index(
    write: Callable[[Sequence[Tagged]], Awaitable[object]],
    rehearse: Callable[[Sequence[Tagged]], Awaitable[Mapping[int, Exception]]],
    limits: StageLimits,
    name: str = "index",
) -> Stage[Tagged, Tagged]:
    """Makes the stage that writes changes, in order and so one batch at a time.

    `write` applies a batch with its cursor, all or nothing: to the index, or to a topic where the index is another
    process's. `rehearse` does the same with each change alone, without effect, and gives the error of every change that
    cannot be written, under its index.
    """

    async def work(values: Sequence[Tagged]) -> Sequence[Tagged]:
        await write(values)
        return values

    def replacement(value: Tagged, error: Exception) -> Tagged:
        return _tagged(with_dead_letter(value.arrival, error, EventOutcome.REJECTED), None)

    async def dead_letter(value: Tagged, error: Exception) -> Tagged:
        kept = replacement(value, error)
        await write([kept])
        return kept

    async def canaries() -> list[Tagged]:
        return [_tagged(arrival, answer) for arrival, answer in zip(canary_arrivals(), canary_answers(), strict=True)]

    def size(value: Tagged) -> Size:
        return Size(size_bytes=bytes_of(value.arrival.event))

    return Stage(
        name, work, dead_letter, size, replace(limits, concurrency=1), CanaryCheck(canaries, rehearse, replacement)
    )


def canary_arrivals() -> list[Arrival]:
    """Returns posts that are known to be good, as if a source had given them."""
    return [Arrival(post, post.id, "", post.created_at) for post in canary_posts()]


def failures(function: Callable[[Input], object], inputs: Sequence[Input]) -> dict[int, Exception]:
    """Returns the errors of the inputs on which the function fails, by index; an outage and a `Fatal` are raised."""
    found: dict[int, Exception] = {}
    for index, value in enumerate(inputs):
        try:
            function(value)
        except (Retryable, Fatal):
            raise
        except Exception as error:  # the boundary: the stage's runner judges it
            found[index] = error
    return found


async def _compute(
    executor: Executor, function: Callable[[Sequence[Input]], Sequence[Answer]], inputs: Mapping[int, Input]
) -> dict[int, Answer]:
    """Returns the function's answers under the keys of its inputs, computed away from the event loop."""
    if not inputs:
        return {}
    answers = await asyncio.get_running_loop().run_in_executor(executor, function, list(inputs.values()))
    if len(answers) != len(inputs):
        raise Fatal(f"{function.__qualname__} answered {len(answers)} of {len(inputs)} posts: a defect of the tagger")
    return dict(zip(inputs, answers, strict=True))


def _tagged(arrival: Arrival, answer: TaggedPost | None) -> Tagged:
    """Returns the change for an arrival: its tagged post if it has one, else the event itself."""
    event = arrival.event
    if not isinstance(event, Post):
        return Tagged(arrival, event)
    if answer is None:
        raise Fatal(f"post {event.id!r} reached the index untagged: a defect of the pipeline")
    return Tagged(arrival, Indexable(answer, arrival.observed_at, event.position, thumbnails_of(event)))


def with_dead_letter(arrival: Arrival, error: Exception, refused: EventOutcome) -> Arrival:
    """Returns the arrival with its event replaced by the event's dead letter; a defect of ours is its own cause."""
    cause = refused if isinstance(error, Poison) else EventOutcome.UNEXPECTED
    letter = dead_letter_of(
        arrival.event, origin=arrival.origin, cause=cause.value, message=explain(error), body=arrival.original
    )
    return replace(arrival, event=letter)


def explain(error: Exception) -> str:
    """Returns what went wrong in one line; for an unexpected exception also where, as nobody will see its traceback."""
    if isinstance(error, Poison):
        return str(error)
    frames = extract_tb(error.__traceback__)
    where = f" ({frames[-1].name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{where}"
