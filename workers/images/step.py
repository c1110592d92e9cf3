"""The image step: labels and captions of the photos of posts, before the posts are tagged.

::

    post with thumbnails ─┬▶ image model, the photos of many posts at a time ─▶ labels ─┬▶ image words of the tagger
                          └▶ captioner, where there is one, photo by photo ─▶ captions ─┘ (captions, if there are any)

Nothing here keeps a post from being tagged. The pipeline waits for the tagger, but never for the image model, because
the text carries most of the names. While the image model is away or hangs, posts go on without labels, are marked
`degraded`, and can be repaired later (invariant 9). The same mark stands on a post whose photo was not fetched for a
cause that can pass, and on one whose photo a captioner failed on.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from tagstream.errors import Fatal, Poison
from tagstream.media_reasons import PhotoReason
from tagstream.posts import Event, Media, Post
from workers.images.interface import CaptionedImageModel, ImageModel
from workers.pipeline.runner import Size, Stage, StageLimits
from workers.pipeline.steps import Arrival, bytes_of
from workers.tagger.interface import NO_IMAGE_CONTEXT, ImageContext

Answer = TypeVar("Answer")

IMAGE_MODEL = "image_model"
PHOTO = "photo"
MAX_LABELS = 5
# The photos of a batch take a fraction of a second. This limit is longer than the default deadline of a model server,
# so that the error of the server is seen first.
LONGEST_LOOK_SECONDS = 30.0
# The most photos that a post may have. A captioner takes up to seconds for each, and a batch of minutes looks stuck.
CAPTIONED_AT_A_TIME = 4


def see(
    image_model: ImageModel, executor: Executor, limits: StageLimits, *, longest_seconds: float = LONGEST_LOOK_SECONDS
) -> Stage[Arrival, Arrival]:
    """Returns the stage that adds to each post the image context of its photos. A photo is a token of the batch.

    Every post goes on, whatever fails. `executor` needs a thread for each of `limits.concurrency` batches and one more
    for captions, because the wait for a thread counts as the model's time. A call that has taken `longest_seconds` is
    abandoned: its thread runs on, and its posts go on without it. While as many calls of the image model as
    `limits.concurrency`, or one call of the captioner, are abandoned and still running, no further call is made.
    """
    looks: set[Future[Any]] = set()
    captionings: set[Future[Any]] = set()
    captioner = image_model if isinstance(image_model, CaptionedImageModel) else None
    turn = asyncio.Lock()
    if captioner is not None:
        limits = replace(limits, batch_tokens=CAPTIONED_AT_A_TIME)

    async def ask(work: Callable[[], Answer], overdue: set[Future[Any]], most: int) -> Answer | None:
        if len(overdue) >= most:
            return None
        looking = executor.submit(work)
        try:
            async with asyncio.timeout(longest_seconds):
                return await asyncio.wrap_future(looking)
        except (Fatal, Poison):
            raise  # the runner finds the post of a poison picture, and leaves out its photos alone
        except Exception:  # the text is still there
            if not looking.done():
                overdue.add(looking)
                looking.add_done_callback(overdue.discard)
            return None

    async def look(thumbnails: list[bytes]) -> list[tuple[str, ...]] | None:
        labels = await ask(partial(image_model, thumbnails), looks, limits.concurrency)
        if labels is not None and len(labels) != len(thumbnails):
            raise Fatal(f"the image model answered {len(labels)} of {len(thumbnails)} pictures: a defect of it")
        return labels

    async def describe(thumbnails: list[bytes]) -> list[str | None]:
        if captioner is None:
            return []
        async with turn:  # the wait for the turn does not count as the captioner's time
            return [await ask(partial(captioner.caption, picture), captionings, 1) for picture in thumbnails]

    async def work(arrivals: Sequence[Arrival]) -> list[Arrival]:
        thumbnails = [picture for arrival in arrivals for picture in thumbnails_of(arrival)]
        if not thumbnails:
            return with_image_contexts(arrivals, [])
        return with_image_contexts(arrivals, await look(thumbnails), await describe(thumbnails))

    async def without_photos(arrival: Arrival, _: Exception) -> Arrival:
        return replace(arrival, image_context=context_of_unseen_photos(arrival.event))

    def size(arrival: Arrival) -> Size:
        photos = len(thumbnails_of(arrival))
        return Size(1 if photos else 0, photos, bytes_of(arrival.event))

    # Without canaries: a post goes on without its photos and is repaired later, so a defect loses nothing, and an image
    # model that hangs is not called more often.
    return Stage("see", work, without_photos, size, limits)


def context_of_unseen_photos(event: Event) -> ImageContext:
    """Returns the image context of a post whose photos no model looked at."""
    return image_context_of(event, None)


def thumbnails_of(arrival: Arrival) -> list[bytes]:
    """Returns the pictures of a post, in order."""
    return _thumbnails(arrival.event)


def _thumbnails(event: Event) -> list[bytes]:
    media = event.media if isinstance(event, Post) else ()
    return [photo.thumbnail for photo in media if photo.thumbnail is not None]


def with_image_contexts(
    arrivals: Sequence[Arrival], labels: Sequence[tuple[str, ...]] | None, captions: Sequence[str | None] = ()
) -> list[Arrival]:
    """Returns the arrivals with their image contexts; `labels` and `captions` are those of all pictures, in order.

    `labels` is None where the image model did not answer.
    """
    seen: list[Arrival] = []
    start = 0
    for arrival in arrivals:
        end = start + len(thumbnails_of(arrival))
        image_context = image_context_of(
            arrival.event, None if labels is None else labels[start:end], captions[start:end]
        )
        seen.append(
            arrival if image_context == arrival.image_context else replace(arrival, image_context=image_context)
        )
        start = end
    return seen


def image_context_of(
    event: Event, labels: Sequence[tuple[str, ...]] | None, captions: Sequence[str | None] = ()
) -> ImageContext:
    """Returns the image context of one event; `labels` are those of each picture, None where the model did not answer.

    `captions` are those of each picture, None where the captioner failed; empty where there is no captioner.
    """
    if not isinstance(event, Post) or not event.media:
        return NO_IMAGE_CONTEXT
    degraded = []
    if (labels is None and _thumbnails(event)) or None in captions:
        degraded.append(IMAGE_MODEL)
    if any(map(_may_come_later, event.media)):
        degraded.append(PHOTO)
    # All first labels before all second ones, so that each photo of a post counts.
    ranks = range(max((len(names) for names in labels or ()), default=0))
    ordered = [names[rank] for rank in ranks for names in labels or () if rank < len(names)]
    return ImageContext(
        tuple(dict.fromkeys(ordered))[:MAX_LABELS],
        tuple(degraded),
        tuple(dict.fromkeys(caption for caption in captions if caption)),
    )


def _may_come_later(media: Media) -> bool:
    """Tells whether a photo is missing for a cause that can pass; an unknown reason does not pass.

    A photo with a hash and without bytes, as in a dead letter or a backup, can be fetched again.
    """
    if media.thumbnail is not None:
        return False
    if media.reason is None:
        return media.sha256 is not None
    return media.reason in {reason.value for reason in PhotoReason if reason.can_pass}
