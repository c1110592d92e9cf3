"""What a post's photos add to it, and that a post goes on without them whatever fails."""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial

import pytest
from pipeline_fakes import CREATED, ListSource, MemoryIndex, post

import workers.local
from tagstream.errors import Fatal, ModelUnavailable, UntaggablePost
from tagstream.posts import Deletion, Media
from tagstream.runtime.daemon_thread_pool import DaemonThreadPool
from workers.images.interface import ImageModel
from workers.images.step import IMAGE_MODEL, MAX_LABELS, PHOTO, context_of_unseen_photos, see
from workers.local import run_pipeline
from workers.pipeline.runner import Delivery, StageLimits, StageRunner
from workers.pipeline.settings import StageSettings
from workers.pipeline.steps import Arrival
from workers.tagger.interface import NO_IMAGE_CONTEXT, ImageContext
from workers.tagger.stub import StubTagger


class ScriptedImageModel:
    """Reads the labels off the picture: `boat,sea` shows a boat and the sea."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.calls: list[int] = []

    def __call__(self, thumbnails: Sequence[bytes]) -> list[tuple[str, ...]]:
        self.calls.append(len(thumbnails))
        if self.failure is not None:
            raise self.failure
        return [tuple(filter(None, picture.decode().split(","))) for picture in thumbnails]


def arrival(number: int, *media: Media) -> Arrival:
    return Arrival(post(number, media=media), f"test@{number}", str(number), CREATED)


async def seen(image_model: ScriptedImageModel, *arrivals: Arrival, batch_count: int = 64) -> list[ImageContext]:
    results: list[Arrival] = []

    async def deliveries():
        yield [Delivery(one, lambda: None) for one in arrivals]

    async def keep(done: Sequence[Delivery[Arrival]]) -> None:
        results.extend(delivery.value for delivery in done)

    with ThreadPoolExecutor(1) as pool:
        async with asyncio.timeout(10):
            await StageRunner(see(image_model, pool, StageLimits(batch_count=batch_count))).run(deliveries(), keep)
    assert [one.event for one in results] == [one.event for one in arrivals]
    return [one.image_context for one in results]


async def test_each_post_gets_the_labels_of_its_own_photos_the_surest_of_each_first() -> None:
    image_model = ScriptedImageModel()
    contexts = await seen(
        image_model,
        arrival(1, Media(thumbnail=b"boat,sea"), Media(thumbnail=b"gull,boat,sky")),
        arrival(2),
        arrival(3, Media(thumbnail=b""), Media(alt="a dog"), Media(thumbnail=b"dog")),
    )
    assert [image_context.labels for image_context in contexts] == [("boat", "gull", "sea", "sky"), (), ("dog",)]
    assert {image_context.degraded for image_context in contexts} == {()}
    assert image_model.calls == [4]


async def test_four_photos_give_no_more_labels_than_the_tagger_reads() -> None:
    media = [Media(thumbnail=",".join(f"{photo}{rank}" for rank in range(5)).encode()) for photo in "abcd"]
    (image_context,) = await seen(ScriptedImageModel(), arrival(1, *media))
    assert image_context.labels == ("a0", "b0", "c0", "d0", "a1")
    assert len(image_context.labels) == MAX_LABELS


@pytest.mark.parametrize("failure", [ModelUnavailable("away"), UntaggablePost("no"), ZeroDivisionError()])
async def test_while_the_image_model_fails_posts_with_photos_go_on_degraded(failure: Exception) -> None:
    """However many there are: an unexpected failure is no reason to stop a feed whose text is there."""
    photos = [arrival(number, Media(thumbnail=b"boat")) for number in range(100)]
    *contexts, last = await seen(ScriptedImageModel(failure), *photos, arrival(200, Media(alt="a dog")))
    assert contexts == [ImageContext((), (IMAGE_MODEL,))] * 100
    assert last == NO_IMAGE_CONTEXT


async def test_one_guilty_picture_costs_no_other_post_its_labels() -> None:
    class Refusing(ScriptedImageModel):
        def __call__(self, thumbnails: Sequence[bytes]) -> list[tuple[str, ...]]:
            if b"guilty" in thumbnails:
                raise UntaggablePost("no")
            return super().__call__(thumbnails)

    pictures = [b"boat"] * 20
    pictures[7] = b"guilty"
    contexts = await seen(Refusing(), *(arrival(number, Media(thumbnail=one)) for number, one in enumerate(pictures)))
    assert contexts.pop(7) == ImageContext((), (IMAGE_MODEL,))
    assert contexts == [ImageContext(("boat",), ())] * 19


async def test_an_answer_for_fewer_pictures_is_a_defect_and_mixes_up_nobody() -> None:
    class Short(ScriptedImageModel):
        def __call__(self, thumbnails: Sequence[bytes]) -> list[tuple[str, ...]]:
            return super().__call__(thumbnails)[1:]

    with pytest.raises(Fatal, match="1 of 2 pictures"):
        await seen(Short(), arrival(1, Media(thumbnail=b"boat")), arrival(2, Media(thumbnail=b"dog")))


async def test_a_photo_without_its_bytes_can_be_had_again() -> None:
    kept = Media(url="https://p.example/1.jpg", sha256="0" * 64)
    assert context_of_unseen_photos(post(1, media=(kept,))) == ImageContext((), (PHOTO,))
    assert await seen(ScriptedImageModel(), arrival(1, kept)) == [ImageContext((), (PHOTO,))]
    assert context_of_unseen_photos(post(1)) == NO_IMAGE_CONTEXT


async def test_a_photo_that_may_come_later_degrades_and_one_that_is_refused_for_good_does_not() -> None:
    contexts = await seen(
        ScriptedImageModel(),
        arrival(1, Media(reason="timeout"), Media(thumbnail=b"boat")),
        arrival(2, Media(reason="too_large"), Media(reason="said by a newer version"), Media()),
    )
    assert contexts == [ImageContext(("boat",), (PHOTO,)), NO_IMAGE_CONTEXT]


async def test_what_is_no_post_goes_through() -> None:
    gone = Arrival(Deletion(id="jsonl:1", source="jsonl"), "test@1", "1", CREATED)
    image_model = ScriptedImageModel()
    assert await seen(image_model, gone, arrival(2)) == [NO_IMAGE_CONTEXT, NO_IMAGE_CONTEXT]
    assert image_model.calls == []


class HangingImageModel(ScriptedImageModel):
    """Stands still, in native code as it were, in its first looks at a picture that says so."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.stands, self.go_on = threading.Event(), threading.Event()
        self._left = looks

    def __call__(self, thumbnails: Sequence[bytes]) -> list[tuple[str, ...]]:
        answer = super().__call__(thumbnails)
        if b"standstill" in thumbnails and self._left:
            self._left -= 1
            self.stands.set()
            assert self.go_on.wait(60)
        return answer


async def one_by_one(
    image_model: ImageModel, pool: Executor, limits: StageLimits, pictures: Sequence[bytes]
) -> list[ImageContext]:
    stage = see(image_model, pool, limits, longest_seconds=0.3)
    return [
        (await stage.work([arrival(number, Media(thumbnail=picture))]))[0].image_context
        for number, picture in enumerate(pictures)
    ]


async def test_a_model_that_stands_still_holds_up_its_own_batch_for_a_while_and_no_other() -> None:
    image_model = HangingImageModel(looks=1)
    pool = DaemonThreadPool(1, "see")
    try:
        async with asyncio.timeout(20):  # a hundred posts that each waited would take 30 s
            contexts = await one_by_one(image_model, pool, StageLimits(), [b"standstill", *[b"boat"] * 100])
        assert contexts == [ImageContext((), (IMAGE_MODEL,))] * 101
        assert len(image_model.calls) == 1
        image_model.go_on.set()
        stage = see(image_model, pool, StageLimits())
        assert (await stage.work([arrival(1, Media(thumbnail=b"boat"))]))[0].image_context == ImageContext(
            ("boat",), ()
        )
    finally:
        image_model.go_on.set()
        pool.shutdown()


async def test_one_look_that_never_ends_leaves_the_other_threads_free() -> None:
    image_model = HangingImageModel(looks=2)
    pool = DaemonThreadPool(2, "see")
    try:
        pictures = [b"standstill", b"boat", b"standstill", b"sea", b"sky"]
        contexts = await one_by_one(image_model, pool, StageLimits(concurrency=2), pictures)
        unseen = ImageContext((), (IMAGE_MODEL,))
        assert contexts == [unseen, ImageContext(("boat",), ()), unseen, unseen, unseen]
    finally:
        image_model.go_on.set()
        pool.shutdown()


async def test_an_image_model_that_answers_again_is_asked_again() -> None:
    image_model = HangingImageModel(looks=1)
    pool = DaemonThreadPool(1, "see")
    stage = see(image_model, pool, StageLimits(), longest_seconds=0.2)
    try:
        (first,) = await stage.work([arrival(1, Media(thumbnail=b"standstill"))])
        image_model.go_on.set()
        await asyncio.wrap_future(pool.submit(int))  # its one thread has come back from the look
        (again,) = await stage.work([arrival(2, Media(thumbnail=b"boat"))])
        assert [one.image_context for one in (first, again)] == [
            ImageContext((), (IMAGE_MODEL,)),
            ImageContext(("boat",), ()),
        ]
    finally:
        image_model.go_on.set()
        pool.shutdown()


async def test_a_look_that_is_cancelled_is_not_held_against_the_model() -> None:
    image_model = HangingImageModel(looks=1)
    pool = DaemonThreadPool(1, "see")
    stage = see(image_model, pool, StageLimits())
    try:
        working = asyncio.ensure_future(stage.work([arrival(1, Media(thumbnail=b"standstill"))]))
        assert await asyncio.to_thread(image_model.stands.wait, 20)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        image_model.go_on.set()
        assert (await stage.work([arrival(2, Media(thumbnail=b"boat"))]))[0].image_context == ImageContext(
            ("boat",), ()
        )
    finally:
        image_model.go_on.set()
        pool.shutdown()


@pytest.mark.parametrize(
    "image_model",
    [HangingImageModel(looks=1000), ScriptedImageModel(ModelUnavailable("away")), ScriptedImageModel(MemoryError())],
    ids=["hangs", "away", "crashes"],
)
async def test_whatever_the_image_model_does_every_text_is_tagged_and_indexed(
    image_model: ScriptedImageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers.local, "see", partial(see, longest_seconds=0.2))
    posts = [post(number, media=(Media(thumbnail=b"standstill"),)) for number in range(300)]
    index = MemoryIndex()
    settings = StageSettings(progress_seconds=0.05, stop_seconds=1)
    try:
        async with asyncio.timeout(30):
            report = await run_pipeline(
                ListSource(posts), StubTagger(), index, image_model=image_model, settings=settings
            )
    finally:
        if isinstance(image_model, HangingImageModel):
            image_model.go_on.set()
    assert report.ended
    assert len(index.posts) == 300
    assert {one.degraded for one in index.posts.values()} == {(IMAGE_MODEL,)}
    assert {tuple(entity.text for entity in one.entities) for one in index.posts.values()} == {
        ("Angela Merkel", "Paris")
    }
    assert index.letters == {}
