"""What a post's photos add to it, and that a post goes on without them whatever fails."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from pipeline_fakes import CREATED, post

from tagstream.errors import Fatal, ModelUnavailable, UntaggablePost
from tagstream.posts import Deletion, Media
from workers.seeing import IMAGE_MODEL, MAX_LABELS, PHOTO, see, unseen
from workers.stage import Delivery, Limits, StageRunner
from workers.stages import Arrival
from workers.tagger import NOTHING_SEEN, Sight


class ScriptedEyes:
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


async def seen(eyes: ScriptedEyes, *arrivals: Arrival, batch_count: int = 64) -> list[Sight]:
    results: list[Arrival] = []

    async def deliveries():
        yield [Delivery(one, lambda: None) for one in arrivals]

    async def keep(done: Sequence[Delivery[Arrival]]) -> None:
        results.extend(delivery.value for delivery in done)

    with ThreadPoolExecutor(1) as pool:
        async with asyncio.timeout(10):
            await StageRunner(see(eyes, pool, Limits(batch_count=batch_count))).run(deliveries(), keep)
    assert [one.event for one in results] == [one.event for one in arrivals]
    return [one.sight for one in results]


async def test_each_post_gets_the_labels_of_its_own_photos_the_surest_of_each_first() -> None:
    eyes = ScriptedEyes()
    sights = await seen(
        eyes,
        arrival(1, Media(thumbnail=b"boat,sea"), Media(thumbnail=b"gull,boat,sky")),
        arrival(2),
        arrival(3, Media(thumbnail=b""), Media(alt="a dog"), Media(thumbnail=b"dog")),
    )
    assert [sight.labels for sight in sights] == [("boat", "gull", "sea", "sky"), (), ("dog",)]
    assert {sight.degraded for sight in sights} == {()}
    assert eyes.calls == [4]


async def test_four_photos_give_no_more_labels_than_the_tagger_reads() -> None:
    media = [Media(thumbnail=",".join(f"{photo}{rank}" for rank in range(5)).encode()) for photo in "abcd"]
    (sight,) = await seen(ScriptedEyes(), arrival(1, *media))
    assert sight.labels == ("a0", "b0", "c0", "d0", "a1")
    assert len(sight.labels) == MAX_LABELS


@pytest.mark.parametrize("failure", [ModelUnavailable("away"), UntaggablePost("no"), ZeroDivisionError()])
async def test_while_the_image_model_fails_posts_with_photos_go_on_degraded(failure: Exception) -> None:
    """However many there are: an unexpected failure is no reason to stop a feed whose text is there."""
    photos = [arrival(number, Media(thumbnail=b"boat")) for number in range(100)]
    *sights, last = await seen(ScriptedEyes(failure), *photos, arrival(200, Media(alt="a dog")))
    assert sights == [Sight((), (IMAGE_MODEL,))] * 100
    assert last == NOTHING_SEEN


async def test_one_guilty_picture_costs_no_other_post_its_labels() -> None:
    class Refusing(ScriptedEyes):
        def __call__(self, thumbnails: Sequence[bytes]) -> list[tuple[str, ...]]:
            if b"guilty" in thumbnails:
                raise UntaggablePost("no")
            return super().__call__(thumbnails)

    pictures = [b"boat"] * 20
    pictures[7] = b"guilty"
    sights = await seen(Refusing(), *(arrival(number, Media(thumbnail=one)) for number, one in enumerate(pictures)))
    assert sights.pop(7) == Sight((), (IMAGE_MODEL,))
    assert sights == [Sight(("boat",), ())] * 19


async def test_an_answer_for_fewer_pictures_is_a_defect_and_mixes_up_nobody() -> None:
    class Short(ScriptedEyes):
        def __call__(self, thumbnails: Sequence[bytes]) -> list[tuple[str, ...]]:
            return super().__call__(thumbnails)[1:]

    with pytest.raises(Fatal, match="1 of 2 pictures"):
        await seen(Short(), arrival(1, Media(thumbnail=b"boat")), arrival(2, Media(thumbnail=b"dog")))


async def test_a_photo_without_its_bytes_can_be_had_again() -> None:
    kept = Media(url="https://p.example/1.jpg", sha256="0" * 64)
    assert unseen(post(1, media=(kept,))) == Sight((), (PHOTO,))
    assert await seen(ScriptedEyes(), arrival(1, kept)) == [Sight((), (PHOTO,))]
    assert unseen(post(1)) == NOTHING_SEEN


async def test_a_photo_that_may_come_later_degrades_and_one_that_is_refused_for_good_does_not() -> None:
    sights = await seen(
        ScriptedEyes(),
        arrival(1, Media(reason="timeout"), Media(thumbnail=b"boat")),
        arrival(2, Media(reason="too_large"), Media(reason="said by a newer version"), Media()),
    )
    assert sights == [Sight(("boat",), (PHOTO,)), NOTHING_SEEN]


async def test_what_is_no_post_goes_through() -> None:
    gone = Arrival(Deletion(id="jsonl:1", source="jsonl"), "test@1", "1", CREATED)
    eyes = ScriptedEyes()
    assert await seen(eyes, gone, arrival(2)) == [NOTHING_SEEN, NOTHING_SEEN]
    assert eyes.calls == []
