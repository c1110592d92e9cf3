"""The steps over the contracts: what a poison event turns into, and what an event weighs."""

import asyncio
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from pipeline_fakes import CREATED, post

from search.index import Indexable, WriteReport
from tagstream.bounds import MAX_MESSAGE_LENGTH
from tagstream.dead_letter import dead_letter
from tagstream.errors import Fatal, RejectedDocument, UntaggablePost
from tagstream.posts import AccountStatus, Author, DeadLetter, Deletion, Event, Hashtag, Media, Post
from workers.pipeline import steps
from workers.pipeline.runner import StageLimits
from workers.pipeline.steps import Arrival, PreparedArrival, Tagged
from workers.tagger.interface import ImageContext, PreparedPost
from workers.tagger.stub import StubTagger


def arrival(event: Event) -> Arrival:
    return Arrival(event, "feed@7", "7", CREATED)


async def dead_lettered_by_tag(event: Event, error: Exception) -> DeadLetter:
    with ThreadPoolExecutor(1) as pool:
        stage = steps.tag(StubTagger(), pool, StageLimits())
        tagged = await stage.dead_letter(PreparedArrival(arrival(event), None), error)
    assert isinstance(tagged.change, DeadLetter)
    assert tagged.arrival.cursor == "7"
    return tagged.change


async def test_a_poison_post_becomes_a_dead_letter_that_reads_back_as_the_post() -> None:
    poison = post(
        1,
        "naïve 🎉 \ufffd",
        author=Author(id="jsonl:a"),
        position=5,
        media=(Media(alt="x", thumbnail=b"\xff\xd8\x00"),),
    )
    letter = await dead_lettered_by_tag(poison, UntaggablePost("says a test"))
    assert (letter.origin, letter.source, letter.cause, letter.message) == (
        "feed@7",
        "jsonl",
        "untaggable",
        "says a test",
    )
    # Deletions and erasures must be able to find it.
    assert (letter.post_id, letter.author, letter.position) == ("jsonl:1", "jsonl:a", 5)
    assert Post.model_validate_json(letter.body) == poison.model_copy(update={"media": (Media(alt="x"),)})


async def test_a_post_with_lone_surrogates_is_dead_lettered_too() -> None:
    wrong = Hashtag(text="").model_copy(update={"text": "\ud800"})
    poison = post(1, "naïve", media=(Media(thumbnail=b"\xff"),)).model_copy(update={"hashtags": (wrong,)})
    letter = await dead_lettered_by_tag(poison, UntaggablePost("what is \ud800"))
    assert letter.message == "what is \ufffd"
    kept = json.loads(letter.body)
    assert (kept["id"], kept["text"], kept["hashtags"][0]["text"]) == ("jsonl:1", "naïve", "\ud800")
    letter = await dead_lettered_by_tag(
        Deletion(id="jsonl:1", source="x").model_copy(update={"source": "\ud800"}), UntaggablePost("no")
    )
    assert (letter.source, json.loads(letter.body)["source"]) == ("\ufffd", "\ud800")


async def test_a_defect_is_its_own_cause_and_says_where() -> None:
    try:
        int("x" * 5000)
    except ValueError as error:
        letter = await dead_lettered_by_tag(post(1), error)
    assert letter.cause == "unexpected"
    assert letter.message.startswith("ValueError: invalid literal")
    assert len(letter.message) <= MAX_MESSAGE_LENGTH


async def test_what_the_index_refuses_is_written_as_a_dead_letter_with_its_cursor() -> None:
    written: list[Tagged] = []

    async def write(values: Sequence[Tagged]) -> WriteReport:
        written.extend(values)
        return WriteReport(dead=1)

    async def rehearse(_: Sequence[Tagged]) -> dict[int, Exception]:
        return {}

    stage = steps.index(write, rehearse, StageLimits())
    deletion = Deletion(id="jsonl:4", source="jsonl", position=3)
    kept = await stage.dead_letter(Tagged(arrival(deletion), deletion), RejectedDocument("no"))
    assert written == [kept]
    assert isinstance(kept.change, DeadLetter)
    assert (kept.change.cause, kept.change.post_id) == ("rejected", "jsonl:4")
    assert Deletion.model_validate_json(kept.change.body) == deletion


async def test_a_refused_status_is_kept_under_its_author() -> None:
    status = AccountStatus(source="jsonl", author="ann", hidden=True, position=3)
    letter = await dead_lettered_by_tag(status, UntaggablePost("no"))
    assert (letter.post_id, letter.author, letter.position) == (None, "ann", 3)
    assert AccountStatus.model_validate_json(letter.body) == status


async def test_a_dead_letter_that_is_refused_keeps_its_own_bytes() -> None:
    first = dead_letter(origin="f:1", source="jsonl", cause="malformed", message="m", body=b"\xff\x00")
    assert (await dead_lettered_by_tag(first, UntaggablePost("no"))).body == b"\xff\x00"


async def test_only_posts_meet_the_tagger_and_all_keep_their_place() -> None:
    with ThreadPoolExecutor(1) as pool:
        prepare, tag = steps.prepare(StubTagger(), pool, StageLimits()), steps.tag(StubTagger(), pool, StageLimits())
        events: list[Event] = [Deletion(id="jsonl:9", source="jsonl"), post(1, position=4), post(2)]
        tagged = await tag.work(await prepare.work([arrival(event) for event in events]))
    assert tagged[0].change == events[0]
    changes = [value.change for value in tagged[1:]]
    assert [change.post.id for change in changes if isinstance(change, Indexable)] == ["jsonl:1", "jsonl:2"]
    assert isinstance(changes[0], Indexable)
    assert (changes[0].observed_at, changes[0].position) == (CREATED, 4)


async def test_a_tagger_that_answers_too_few_posts_is_fatal() -> None:
    class Short(StubTagger):
        def prepare(self, posts: Sequence[Post], contexts: Sequence[ImageContext] | None = None) -> list[PreparedPost]:
            return super().prepare(posts, contexts)[1:]

    with ThreadPoolExecutor(1) as pool:
        stage = steps.prepare(Short(), pool, StageLimits())
        with pytest.raises(Fatal, match="1 of 2 posts"):
            await stage.work([arrival(post(1)), arrival(post(2))])


async def test_the_tagger_never_runs_on_the_event_loop() -> None:
    class Watching(StubTagger):
        def prepare(self, posts: Sequence[Post], contexts: Sequence[ImageContext] | None = None) -> list[PreparedPost]:
            with pytest.raises(RuntimeError, match="no running event loop"):
                asyncio.get_running_loop()
            return super().prepare(posts, contexts)

    with ThreadPoolExecutor(1) as pool:
        assert len(await steps.prepare(Watching(), pool, StageLimits()).work([arrival(post(1))])) == 1


def test_pictures_and_long_texts_weigh() -> None:
    light = steps.bytes_of(post(1, ""))
    assert steps.bytes_of(post(1, "x" * 1000)) >= light + 1000
    assert steps.bytes_of(post(1, "", media=(Media(thumbnail=b"x" * 60_000),))) >= light + 60_000
    letter = dead_letter(origin="f:1", source="jsonl", cause="malformed", message="m", body=b"x" * 5000)
    assert steps.bytes_of(letter) >= 5000
