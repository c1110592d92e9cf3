"""Posts tagged without their photos get a whole answer when there is one, and no other post is touched."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from pipeline_fakes import CREATED, ListSource, post

from ingest.media.image_fetcher import FetchedImage, ImageResult
from ingest.sources.jsonl.source import JsonlSource
from ingest.sources.wrappers.with_photos import WithPhotos
from search.index import Indexable
from search.open import open_index
from tagstream.errors import ModelUnavailable
from tagstream.media_reasons import PhotoReason
from tagstream.posts import Deletion, Media, Post
from tagstream.settings import Settings
from workers.cli.retag import DegradedPosts, photos_again, untagged
from workers.images.step import IMAGE_MODEL, PHOTO
from workers.local import run_pipeline
from workers.tagger.stub import StubTagger

PICTURE = FetchedImage("0" * 64, 640, 480, b"\xff\xd8\xff")


class OneAnswer:
    """An image fetcher that gives everybody the same."""

    def __init__(self, outcome: ImageResult) -> None:
        self.outcome = outcome
        self.unfiltered = 0
        self.asked: list[str] = []

    async def photo(self, url: str) -> ImageResult:
        self.asked.append(url)
        return self.outcome

    async def close(self) -> None: ...


class ImageModel:
    """Sees a boat everywhere, unless it is away."""

    def __init__(self, *, away: bool = False) -> None:
        self.away = away

    def __call__(self, thumbnails: Sequence[bytes]) -> list[tuple[str, ...]]:
        if self.away:
            raise ModelUnavailable("away")
        return [("boat",)] * len(thumbnails)


def with_photo(number: int) -> Post:
    url = f"https://p.example/{number}.jpg"
    return post(number, "Berlin #Paris", media=(Media(url=url, alt="harbour"),), position=number, revision=5)


@pytest.fixture
async def index(tmp_path: Path):
    index = await open_index(f"sqlite:{tmp_path / 'index.db'}", create=True)
    yield index
    await index.close()


async def feed(index, posts: Sequence[Post], outcome: ImageResult, image_model: ImageModel) -> None:
    source = WithPhotos(ListSource(posts), OneAnswer(outcome), wait_seconds=5, max_ahead=10)
    await run_pipeline(source, StubTagger(), index, image_model=image_model)


async def again(index, outcome: ImageResult, image_model: ImageModel) -> OneAnswer:
    image_fetcher = OneAnswer(outcome)
    async with asyncio.timeout(20):
        await run_pipeline(
            photos_again(DegradedPosts(index), image_fetcher, Settings()), StubTagger(), index, image_model=image_model
        )
    return image_fetcher


@pytest.mark.parametrize(
    ("outcome", "image_model", "cause"),
    [(PhotoReason.TIMEOUT, ImageModel(), PHOTO), (PICTURE, ImageModel(away=True), IMAGE_MODEL)],
)
async def test_what_was_missing_is_made_good_and_nothing_else_changes(index, outcome, image_model, cause) -> None:
    posts = [with_photo(number) for number in range(250)]
    await feed(index, [*posts, post(900, "Tokyo")], outcome, image_model)
    before = {one.id: one async for one in index.documents()}
    assert {one.degraded for one in before.values()} == {(cause,), ()}
    image_fetcher = await again(index, PICTURE, ImageModel())
    assert len(image_fetcher.asked) == (250 if cause == PHOTO else 0), "what is kept is not fetched again"
    after = {one.id: one async for one in index.documents()}
    for post_id, now in after.items():
        was = before[post_id]
        assert now.degraded == ()
        whole = {"degraded": (), "image_labels": ("boat",), "generation": 1, "media": now.media}
        assert now == was if post_id == "jsonl:900" else now == was.model_copy(update=whole)
    assert {one.media[0].sha256 for one in after.values() if one.media} == {PICTURE.sha256}
    assert (await again(index, PICTURE, ImageModel())).asked == []


async def test_what_is_still_away_stays_degraded_and_what_is_gone_does_not(index) -> None:
    await feed(index, [with_photo(1)], PhotoReason.TIMEOUT, ImageModel())
    await again(index, PhotoReason.UNREACHABLE, ImageModel())
    assert [(one.degraded, one.image_labels) async for one in index.documents()] == [((PHOTO,), ())]
    await again(index, PhotoReason.GONE, ImageModel())
    [one] = [one async for one in index.documents()]
    assert (one.degraded, one.media[0].reason) == ((), "gone")


async def test_a_post_deleted_meanwhile_stays_deleted(index) -> None:
    await feed(index, [with_photo(1), with_photo(2)], PhotoReason.TIMEOUT, ImageModel())
    source = photos_again(DegradedPosts(index), OneAnswer(PICTURE), Settings())
    await source.open(None)
    taken = await source.next_batch(10)
    await source.close()
    await index.write([Deletion(id="jsonl:1", source="jsonl")])
    await run_pipeline(ListSource([one.event for one in taken]), StubTagger(), index, image_model=ImageModel())
    assert [one.id async for one in index.documents()] == ["jsonl:2"]


async def test_a_photo_that_came_without_a_url_cannot_be_had_again(index) -> None:
    drawn = Media(sha256="1" * 64, thumbnail=b"\xff\xd8\xff", width=3, height=2)
    await feed(index, [post(1, media=(drawn,)), post(2, media=(drawn,))], PICTURE, ImageModel(away=True))
    await index.discard_thumbnails([Indexable(await index.get("jsonl:1"), CREATED)])
    posts = DegradedPosts(index)
    [again] = await posts.next_batch(5)
    assert (again.event, posts.without_url) == (post(2, media=(drawn,)), 1), "of the second the thumbnail is kept"


async def test_a_backup_tells_the_labels_and_does_not_take_them_over(index, tmp_path) -> None:
    await feed(index, [with_photo(1)], PICTURE, ImageModel())
    [whole] = [one async for one in index.documents()]
    assert (whole.image_labels, whole.degraded) == (("boat",), ())
    (tmp_path / "backup.jsonl").write_text(whole.model_dump_json() + "\n")
    other = await open_index(f"sqlite:{tmp_path / 'other.db'}", create=True)
    for target in (other, index):
        await run_pipeline(JsonlSource(str(tmp_path / "backup.jsonl")), StubTagger(), target, image_model=ImageModel())
    [restored] = [one async for one in other.documents()]
    assert (restored.image_labels, restored.degraded, restored.media) == ((), (PHOTO,), whole.media)
    assert await other.thumbnail(whole.id, 0) is None
    await other.close()
    assert [one async for one in index.documents()] == [whole], "what is whole does not yield to it"
    assert await index.thumbnail(whole.id, 0) == PICTURE.thumbnail


async def test_a_post_comes_back_as_it_was_before_it_was_tagged(index) -> None:
    before = with_photo(7)
    await feed(index, [before], PhotoReason.TIMEOUT, ImageModel())
    [tagged] = [one async for one in index.documents()]
    assert untagged(tagged, [None]) == before.model_copy(update={"position": 0})
