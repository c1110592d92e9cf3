"""The steps that every shape of the pipeline shares: prepare ─▶ tag ─▶ index. Each is checked by canaries.

Owns what each step does to a batch, what it costs, and what becomes of a guilty post. Knows nothing of where events
come from or who acknowledges them. Deletions, erasures, statuses of accounts and dead letters go through in their
place, without the model.
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
from workers.pipeline.canaries import Check
from workers.pipeline.canary_posts import canary_answers, canary_posts
from workers.pipeline.runner import Limits, Size, Stage
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
class Prepared:
    """An arrival with its model input; None for whatever is not a post."""

    arrival: Arrival
    prepared: PreparedPost | None


@dataclass(frozen=True, slots=True)
class Tagged:
    """An arrival and the change of the index that it leads to."""

    arrival: Arrival
    change: Change


def weight_of(event: Event) -> int:
    """Roughly how many bytes an event keeps in memory."""
    if isinstance(event, Post):
        pictures = sum([len(media.thumbnail or b"") + len(media.alt or "") for media in event.media])
        return 2048 + 4 * len(event.text) + pictures
    return 1024 + (len(event.body) if isinstance(event, DeadLetter) else 0)


def prepare(tagger: Tagger, executor: Executor, limits: Limits) -> Stage[Arrival, Prepared]:
    """Turns posts into model input: hashtags segmented, words cut into pieces."""

    def prepare_all(arrivals: Sequence[Arrival]) -> list[PreparedPost]:
        posts = [arrival.event for arrival in arrivals if isinstance(arrival.event, Post)]
        return tagger.prepare(posts, [arrival.image_context for arrival in arrivals])

    async def work(arrivals: Sequence[Arrival]) -> list[Prepared]:
        posts = {number: arrival for number, arrival in enumerate(arrivals) if isinstance(arrival.event, Post)}
        answers = await _compute(executor, prepare_all, posts)
        return [Prepared(arrival, answers.get(number)) for number, arrival in enumerate(arrivals)]

    def instead(arrival: Arrival, error: Exception) -> Arrival:
        return _with_dead_letter(arrival, error, EventOutcome.UNTAGGABLE)

    async def bury(arrival: Arrival, error: Exception) -> Prepared:
        return Prepared(instead(arrival, error), None)

    def examine_all(arrivals: Sequence[Arrival]) -> dict[int, Exception]:
        return failures(lambda arrival: prepare_all([arrival]), arrivals)

    async def examine(arrivals: Sequence[Arrival]) -> Mapping[int, Exception]:
        return await asyncio.get_running_loop().run_in_executor(executor, examine_all, arrivals)

    async def canaries() -> list[Arrival]:
        return canary_arrivals()

    def size(arrival: Arrival) -> Size:
        return Size(weight=weight_of(arrival.event))

    return Stage("prepare", work, bury, size, limits, Check(canaries, examine, instead))


def tag(tagger: Tagger, executor: Executor, limits: Limits) -> Stage[Prepared, Tagged]:
    """Finds the entities of posts, a batch of one length bucket at a time."""

    async def work(values: Sequence[Prepared]) -> list[Tagged]:
        inputs = {number: value.prepared for number, value in enumerate(values) if value.prepared is not None}
        answers = await _compute(executor, tagger.tag, inputs)
        return [_tagged(value.arrival, answers.get(number)) for number, value in enumerate(values)]

    async def bury(value: Prepared, error: Exception) -> Tagged:
        return _tagged(_with_dead_letter(value.arrival, error, EventOutcome.UNTAGGABLE), None)

    async def canaries() -> list[Prepared]:
        arrivals = canary_arrivals()
        posts = {number: arrival.event for number, arrival in enumerate(arrivals) if isinstance(arrival.event, Post)}
        prepared = await _compute(executor, tagger.prepare, posts)
        return [Prepared(arrival, prepared[number]) for number, arrival in enumerate(arrivals)]

    def size(value: Prepared) -> Size:
        weight = weight_of(value.arrival.event)
        if value.prepared is None:
            return Size(weight=weight)
        length, rows = value.prepared.length, value.prepared.sequences
        return Size(length, rows, weight + _BYTES_A_TOKEN * length * rows)

    # No `examine`: alone a post costs the model as much as several together, so the guilty are found by splitting.
    return Stage("tag", work, bury, size, limits, Check(canaries))


def index(
    write: Callable[[Sequence[Tagged]], Awaitable[object]],
    rehearse: Callable[[Sequence[Tagged]], Awaitable[Mapping[int, Exception]]],
    limits: Limits,
    name: str = "index",
) -> Stage[Tagged, Tagged]:
    """Writes changes, in order and so one batch at a time; `write` applies a batch with its cursor, all or nothing.

    Wherever to: into the index here, to a topic where the index is another stage's. `rehearse` does the same with each
    change alone, without effect, and says by its place which cannot be written.
    """

    async def work(values: Sequence[Tagged]) -> Sequence[Tagged]:
        await write(values)
        return values

    def instead(value: Tagged, error: Exception) -> Tagged:
        return _tagged(_with_dead_letter(value.arrival, error, EventOutcome.REJECTED), None)

    async def bury(value: Tagged, error: Exception) -> Tagged:
        kept = instead(value, error)
        await write([kept])
        return kept

    async def canaries() -> list[Tagged]:
        return [_tagged(arrival, answer) for arrival, answer in zip(canary_arrivals(), canary_answers(), strict=True)]

    def size(value: Tagged) -> Size:
        return Size(weight=weight_of(value.arrival.event))

    return Stage(name, work, bury, size, replace(limits, concurrency=1), Check(canaries, rehearse, instead))


def canary_arrivals() -> list[Arrival]:
    """The posts that are known to be good, as if a source had given them."""
    return [Arrival(post, post.id, "", post.created_at) for post in canary_posts()]


def failures(function: Callable[[Input], object], inputs: Sequence[Input]) -> dict[int, Exception]:
    """The errors of the inputs on which the function fails, by their place; an outage and a `Fatal` are raised."""
    found: dict[int, Exception] = {}
    for place, one in enumerate(inputs):
        try:
            function(one)
        except (Retryable, Fatal):
            raise
        except Exception as error:  # whatever it is, it is the input's: the stage's runner judges it
            found[place] = error
    return found


async def _compute(
    executor: Executor, function: Callable[[Sequence[Input]], Sequence[Answer]], inputs: Mapping[int, Input]
) -> dict[int, Answer]:
    """The function's answers under the numbers of its inputs, computed away from the event loop."""
    if not inputs:
        return {}
    answers = await asyncio.get_running_loop().run_in_executor(executor, function, list(inputs.values()))
    if len(answers) != len(inputs):
        raise Fatal(f"{function.__qualname__} answered {len(answers)} of {len(inputs)} posts: a defect of the tagger")
    return dict(zip(inputs, answers, strict=True))


def _tagged(arrival: Arrival, answer: TaggedPost | None) -> Tagged:
    """The change for an arrival: its tagged post if it has one, else the event itself."""
    event = arrival.event
    if not isinstance(event, Post):
        return Tagged(arrival, event)
    if answer is None:
        raise Fatal(f"post {event.id!r} reached the index untagged: a defect of the pipeline")
    return Tagged(arrival, Indexable(answer, arrival.observed_at, event.position, thumbnails_of(event)))


def _with_dead_letter(arrival: Arrival, error: Exception, refused: EventOutcome) -> Arrival:
    """Returns the arrival with its event replaced by the event's dead letter; a defect of ours is its own cause."""
    cause = refused if isinstance(error, Poison) else EventOutcome.UNEXPECTED
    letter = dead_letter_of(
        arrival.event, origin=arrival.origin, cause=cause.value, message=explain(error), body=arrival.original
    )
    return replace(arrival, event=letter)


def explain(error: Exception) -> str:
    """What went wrong, in one line; for an unexpected exception also where: nobody will see its traceback."""
    if isinstance(error, Poison):
        return str(error)
    frames = extract_tb(error.__traceback__)
    place = f" ({frames[-1].name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"
