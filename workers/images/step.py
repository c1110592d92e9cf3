"""What the photos of posts show, before the posts are tagged.

::

    post with thumbnails ─┬▶ image model, the photos of many posts at a time ─▶ labels ─┬▶ image words of the tagger
                          └▶ captioner, where there is one, photo by photo ─▶ captions ─┘ (captions, if there are any)

Owns what becomes of a post whose photos cannot be seen. Unlike the tagger, the image model is not waited for: the text
says most of it. So while it is away a post goes on without its labels, marked `degraded`, and can be repaired later
(invariant 9). Nor is a model waited for that stands still, wherever it runs. A photo that was not fetched for a cause
that can pass is told in the same way, and so is a photo of which a captioner has nothing to say because it fails.
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
# Photos of a batch take a fraction of a second. Longer than a model server's deadline by default, which says why.
LONGEST_LOOK_SECONDS = 30.0
# As many as a post may have. A captioner takes up to seconds for each, and a batch that lasts minutes looks stuck.
CAPTIONED_AT_A_TIME = 4


def see(
    image_model: ImageModel, executor: Executor, limits: StageLimits, *, longest_seconds: float = LONGEST_LOOK_SECONDS
) -> Stage[Arrival, Arrival]:
    """Adds to each post what its photos show. Whatever fails, the post goes on. A photo is a token of the batch.

    `executor` has a thread for each of `limits.concurrency` batches, and one more for captions: what waits for a thread
    would be taken for standing still. A look that has taken `longest_seconds` is left to itself; while that many are,
    nobody waits for another. So is a caption; while one is, nobody waits for another.
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
            raise  # of a picture that is guilty the runner finds the post, and buries its photos alone
        except Exception:  # whatever else fails, the text is there
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
        async with turn:  # what waits for it does not count as looking
            return [await ask(partial(captioner.caption, picture), captionings, 1) for picture in thumbnails]

    async def work(arrivals: Sequence[Arrival]) -> list[Arrival]:
        thumbnails = [picture for arrival in arrivals for picture in thumbnails_of(arrival)]
        if not thumbnails:
            return with_image_contexts(arrivals, [])
        return with_image_contexts(arrivals, await look(thumbnails), await describe(thumbnails))

    async def dead_letter(arrival: Arrival, _: Exception) -> Arrival:
        return replace(arrival, image_context=context_of_unseen_photos(arrival.event))

    def size(arrival: Arrival) -> Size:
        photos = len(thumbnails_of(arrival))
        return Size(1 if photos else 0, photos, bytes_of(arrival.event))

    # Not checked by canaries: whatever fails here, a post goes on without its photos and is repaired later, so that
    # nothing is lost to a defect, and an image model that stands still is not asked more often.
    return Stage("see", work, dead_letter, size, limits)


def context_of_unseen_photos(event: Event) -> ImageContext:
    """What is known of a post's photos where nothing looks at them: that they were not seen."""
    return image_context_of(event, None)


def thumbnails_of(arrival: Arrival) -> list[bytes]:
    """The pictures of a post, in order."""
    return _thumbnails(arrival.event)


def _thumbnails(event: Event) -> list[bytes]:
    media = event.media if isinstance(event, Post) else ()
    return [one.thumbnail for one in media if one.thumbnail is not None]


def with_image_contexts(
    arrivals: Sequence[Arrival], labels: Sequence[tuple[str, ...]] | None, captions: Sequence[str | None] = ()
) -> list[Arrival]:
    """The arrivals with what their pictures show; `labels` and `captions`: of all pictures."""
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
    """What an event's pictures show together; `labels` are those of each, None where nothing was seen.

    `captions` are those of each, None where the captioner failed; none at all where there is no captioner.
    """
    if not isinstance(event, Post) or not event.media:
        return NO_IMAGE_CONTEXT
    degraded = []
    if (labels is None and _thumbnails(event)) or None in captions:
        degraded.append(IMAGE_MODEL)
    if any(map(_may_come_later, event.media)):
        degraded.append(PHOTO)
    # All first labels before all second ones: each photo of a post counts.
    ranks = range(max((len(one) for one in labels or ()), default=0))
    ordered = [one[rank] for rank in ranks for one in labels or () if rank < len(one)]
    return ImageContext(
        tuple(dict.fromkeys(ordered))[:MAX_LABELS],
        tuple(degraded),
        tuple(dict.fromkeys(caption for caption in captions if caption)),
    )


def _may_come_later(media: Media) -> bool:
    """Whether a photo is missing for a cause that can pass. A reason that we do not know is for good.

    One that was there (it has a hash) and came without its bytes, as in a dead letter or a backup, can be had again.
    """
    if media.thumbnail is not None:
        return False
    if media.reason is None:
        return media.sha256 is not None
    return media.reason in {reason.value for reason in PhotoReason if reason.can_pass}
