"""What a feed turned out to be: nothing of it understood, or all of it in other languages."""

import json
from datetime import UTC, datetime

import pytest
from pipeline_fakes import ListSource

from ingest.sources.jsonl.source import JsonlSource
from ingest.sources.wrappers.survey import Survey
from tagstream.dead_letter import dead_letter
from tagstream.errors import UnreadableInput
from tagstream.posts import DeadLetter, Event, Post
from tagstream.source import Received


def letter(number: int, cause: str = "invalid_json") -> DeadLetter:
    return dead_letter(
        origin=f"feed:{number}", source="jsonl", cause=cause, message=f"wrong {number}", body=b"{not json"
    )


def post(number: int, lang: str | None = None) -> Post:
    return Post(
        id=f"jsonl:{number}", source="jsonl", created_at=datetime(2024, 5, 1, tzinfo=UTC), text="Oslo", lang=lang
    )


class Feed(ListSource):
    async def open(self, cursor: str | None) -> None:
        """Begins anew whatever the cursor."""


async def surveyed(events: list[Event], cursor: str | None = None) -> Survey:
    survey = Survey(Feed(events))
    await survey.open(cursor)
    while await survey.next_batch(2):
        pass
    await survey.close()
    return survey


@pytest.mark.parametrize("cursor", [None, "lines:7"])
async def test_a_feed_of_which_nothing_was_understood_says_the_commonest_cause_and_a_line(cursor: str | None) -> None:
    survey = await surveyed([letter(1, "bad_id"), letter(2), letter(3)], cursor)
    with pytest.raises(UnreadableInput, match="all 3 lines are refused, 2 of them") as refusal:
        survey.refuse_if_nothing_was_understood()
    assert refusal.value.exit_code == 3
    for said in ("(invalid_json)", "feed:2", "wrong 2", "'{not json'", "docs/reference/sources.md"):
        assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("events", "cursor"),
    [([], None), ([letter(1), post(1)], None), ([letter(1)], "20:3:abc"), ([post(1)], None)],
    ids=["empty", "some", "resumed", "good"],
)
async def test_any_other_feed_does_not(events: list[Event], cursor: str | None) -> None:
    (await surveyed(events, cursor)).refuse_if_nothing_was_understood()


class File(JsonlSource):
    """A file that gives the events of a list."""

    def __init__(self, events: list[Event]) -> None:
        super().__init__("feed.jsonl")
        self.events = events

    async def open(self, cursor: str | None) -> None:
        """Opens nothing."""

    async def next_batch(self, limit: int) -> list[Received]:
        given, self.events = self.events[:limit], self.events[limit:]
        return [Received(event, str(number)) for number, event in enumerate(given)]


async def test_records_of_a_file_that_were_refused_are_told_with_the_commonest_causes_and_the_first() -> None:
    causes = ["c1", "c2", "c2", "c3", "c4", "c5", "c5"]
    survey = Survey(File([*(letter(at, cause) for at, cause in enumerate(causes)), post(1)]))
    assert survey.refused() is None
    while await survey.next_batch(10):
        pass
    assert survey.refused() == (
        "7 records were refused (c2: 2, c5: 2, c1: 1, 2 more causes). The first is feed:0: wrong 0. "
        "`tagstream dead-letters list` shows what was refused"
    )


async def test_frames_of_a_network_that_were_refused_are_not_told() -> None:
    assert (await surveyed([letter(1), post(1)])).refused() is None


async def test_the_languages_of_a_feed() -> None:
    survey = await surveyed([post(1, "pt"), post(2, "es"), post(3, "pt"), post(4), post(5, "de")])
    assert survey.languages.startswith("pt 2, ")
    assert survey.languages.count(",") == 2


async def test_whatever_it_holds_little_is_kept() -> None:
    survey = await surveyed(
        [event for number in range(500) for event in (letter(number, f"c{number}"), post(number, f"l{number}"))]
    )
    assert len(survey._causes) <= 65
    assert len(survey._languages) <= 65
    json.dumps(survey.languages)
