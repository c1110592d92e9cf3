"""`tagstream retag`: posts that were tagged without their photos get a whole answer.

::

    index: degraded:… ─▶ the post again, with the thumbnails that are kept ─▶ other photos ─▶ as in `run` ─▶ index

A whole answer has the higher generation, so it replaces the degraded one and nothing else (invariants 5 and 9); where
the photo is still away the answer is the one that is there. Any number may run at once, or be killed.
"""

import asyncio
from collections.abc import Mapping, Sequence

import click

from ingest.media.image_fetcher import ImageFetcher, open_image_fetcher
from ingest.sources.wrappers.with_photos import WithPhotos
from search.index import EntityIndex, Query
from search.open import opened_index
from tagstream.cli.console import note, write_lines
from tagstream.cli.errors import Interrupted
from tagstream.cli.options import (
    TagstreamCommand,
    current_settings,
    index_option,
    json_option,
    models_option,
    run_until_stopped,
)
from tagstream.cli.progress import RunProgress
from tagstream.media_reasons import PhotoReason
from tagstream.posts import Hashtag, Media, Post, TaggedPost
from tagstream.settings import Settings
from tagstream.source import Received
from workers.cli.run import report_document, summary
from workers.images.interface import ImageModel
from workers.images.step import IMAGE_MODEL, PHOTO
from workers.local import RunReport, run_pipeline
from workers.open_models import load_tagger, open_image_model
from workers.pipeline.settings import stage_settings
from workers.tagger.interface import Tagger

PAGE = 100
_DEGRADED = f"degraded:{IMAGE_MODEL} OR degraded:{PHOTO}"


@click.command(cls=TagstreamCommand)
@index_option
@models_option
@json_option
def retag(index_spec: str | None, models_spec: str | None, as_json: bool) -> None:
    """Tag again what was tagged without its photos.

    While the image model or a photo was away posts were tagged from their text and marked: `tagstream search
    degraded:photo` shows them. Tags them by the thumbnails that the index keeps, and fetches the photos of which it has
    none; the rest of the index is left alone.
    """
    settings = current_settings(index=index_spec, models=models_spec)
    asyncio.run(refuse_absent_index(settings))
    tagger, image_model = load_tagger(settings), open_image_model(settings)
    if image_model is None:
        note("there is no image model here: photos are fetched, and what they show is not told")
    report, interrupted = _run(settings, tagger, image_model)
    if as_json:
        write_lines([report_document(report)])
    if interrupted:
        raise Interrupted(f"stopped after {summary(report)}; the same command finds the rest")
    note(f"done: {summary(report)}")


async def refuse_absent_index(settings: Settings) -> None:
    """Looks at the index before anything is loaded, because opening it to write would make one that is not there.

    Raises:
        UnreadableInput: it is not there, or is no index.
        ServiceUnavailable: its server does not answer.
    """
    async with opened_index(settings):
        pass


def _run(settings: Settings, tagger: Tagger, image_model: ImageModel | None) -> tuple[RunReport, bool]:
    async def work(stop: asyncio.Event) -> tuple[RunReport, bool]:
        async with opened_index(settings, create=True) as index:
            posts = DegradedPosts(index)
            source = photos_again(posts, open_image_fetcher(settings), settings)
            with RunProgress() as progress:
                report = await run_pipeline(
                    source,
                    tagger,
                    index,
                    image_model=image_model,
                    settings=stage_settings(settings),
                    stop=stop,
                    progress=progress,
                )
            if posts.without_url:
                note(f"{posts.without_url:,} posts were left as they are: photos that nobody kept came without a URL")
        return report, stop.is_set() and not report.ended

    return run_until_stopped(work)


def photos_again(posts: "DegradedPosts", image_fetcher: ImageFetcher, settings: Settings) -> WithPhotos:
    """Returns the posts with their photos, whatever the setting `media_fetch` says of feeds."""
    return WithPhotos(
        posts, image_fetcher, wait_seconds=settings.media_wait_seconds, max_ahead=settings.media_look_ahead
    )


class DegradedPosts:
    """A `Source`: the degraded posts of an index, newest first, as they were before they were tagged.

    It has no place to go on from: what is whole is no longer among them. Each photo whose thumbnail the index keeps has
    it again. A post of which neither that nor a URL is left stays as it is: its photo came with the feed, and cannot be
    had again; `without_url` counts them.
    """

    def __init__(self, index: EntityIndex) -> None:
        self.name = "retag"
        self.without_url = 0
        self._index = index
        self._after: str | None = None
        self._ended = False

    async def open(self, cursor: str | None) -> None:
        """Does nothing: the index is open."""

    async def next_batch(self, limit: int) -> Sequence[Received]:
        """Reads the next degraded posts; empty at the end."""
        while not self._ended:
            page = await self._index.search(Query(_DEGRADED, size=min(limit, PAGE), after=self._after))
            posts = [untagged(post, await self._thumbnails(post)) for post in page.posts]
            # Only now: should the index go away before, the same page is asked for again.
            self._after, self._ended = page.next, page.next is None
            self.without_url += posts.count(None)
            if again := [Received(post, post.id) for post in posts if post is not None]:
                return again
        return ()

    def counts(self) -> Mapping[str, int]:
        """Returns no counts: `without_url` is told by itself."""
        return {}

    async def _thumbnails(self, post: TaggedPost) -> list[bytes | None]:
        return [
            None if media.sha256 is None else await self._index.thumbnail(post.id, ordinal)
            for ordinal, media in enumerate(post.media)
        ]

    async def close(self) -> None:
        """Does nothing: the index stays open."""


def untagged(post: TaggedPost, thumbnails: Sequence[bytes | None]) -> Post | None:
    """Returns the post as its source gave it: with the thumbnails that are kept, its other photos unfetched.

    None where one of these cannot be fetched again.
    """
    media = [one.model_copy(update={"thumbnail": jpeg}) for one, jpeg in zip(post.media, thumbnails, strict=True)]
    if any(one.url is None and one.sha256 is not None and one.thumbnail is None for one in media):
        return None
    fields = {name: getattr(post, name) for name in Post.model_fields if name in TaggedPost.model_fields}
    fields["hashtags"] = tuple(Hashtag(text=tag.text, start=tag.start, end=tag.end) for tag in post.hashtags)
    fields["media"] = tuple(map(_unfetched, media))
    return Post(**fields)


def _unfetched(media: Media) -> Media:
    passing = media.reason is not None and media.reason in {one.value for one in PhotoReason if one.can_pass}
    return media.model_copy(update={"reason": None}) if passing else media
