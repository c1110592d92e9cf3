"""The model that ships, run in this process: exact, repeatable, as good as its card says."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from ingest.sources.open import open_source
from tagstream.installation import shipped_models
from tagstream.posts import Media, Post
from tagstream.settings import REPOSITORY, Settings
from tagstream.text.hashtags import hashtags_of
from workers.models.repository import open_version
from workers.open_models import open_tagger
from workers.tagger.conll import read_conll
from workers.tagger.encoding import BUCKET, MAX_LENGTH, stack_sequences
from workers.tagger.evaluation import score_conll

DATA = Path(os.environ.get("TAGSTREAM_DATA", REPOSITORY.parent / "shared" / "data"))


@pytest.fixture(scope="module")
def tagger():
    return open_tagger(Settings(inference_threads=2, emission_cache_bytes=0))


@pytest.fixture(scope="module")
def posts():
    """Posts of every length, language and hostility that the simulator knows."""
    return asyncio.run(read_posts())


async def read_posts():
    source = open_source("simulate:5?posts=400")
    await source.open(None)
    found = {}
    while batch := await source.next_batch(256):
        found.update((received.event.id, received.event) for received in batch if isinstance(received.event, Post))
    await source.close()
    return list(found.values())


def post(text, **fields):
    moment = datetime(2020, 1, 1, tzinfo=UTC)
    return Post(id="test:1", source="test", created_at=moment, text=text, hashtags=hashtags_of(text), **fields)


def tag(tagger, *posts):
    return tagger.tag(tagger.prepare(posts))


def test_the_answer_to_the_bit_whatever_the_batch(tagger, posts):
    alone = [tag(tagger, one)[0] for one in posts]
    assert sum(len(answer.entities) for answer in alone) > 200
    together = tag(tagger, *posts)
    assert together == alone
    assert tag(tagger, *reversed(posts)) == alone[::-1]


def test_emissions_to_the_bit_over_all_served_shapes(tagger, posts):
    rows = [row for prepared in tagger.prepare(posts) for row in prepared.payload.sequences]
    for length in range(BUCKET, MAX_LENGTH + 1, BUCKET):
        some = [row for row in rows if row.bucket == length][:6]
        if not some:
            continue
        alone = np.concatenate([tagger.network(stack_sequences([row], length)) for row in some])
        for size in (1, 2, 5, 16, 33, 64):
            repeated = (some * 64)[:size]
            batched = tagger.network(stack_sequences(repeated, length))
            for place, emissions in enumerate(batched):
                assert np.array_equal(emissions, alone[place % len(some)]), (length, size, place)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("I love 𝗡𝗲𝘄 𝗬𝗼𝗿𝗸 so much", ["𝗡𝗲𝘄 𝗬𝗼𝗿𝗸"]),
        ("I love 🅿🅰🆁🅸🆂 in spring", ["🅿🅰🆁🅸🆂"]),
        ("Bᴀʀᴀᴄᴋ Oʙᴀᴍᴀ speaks today", ["Bᴀʀᴀᴄᴋ Oʙᴀᴍᴀ"]),
        ("Who wins tonight? A) Chelsea B) Arsenal C) Draw", ["Chelsea", "Arsenal"]),
        ("My trip this year:\n1. Oslo\n2. Rome\n3. New York", ["Oslo", "Rome", "New York"]),
        ("Guests:\n• Barack Obama\n• Bill Gates", ["Barack Obama", "Bill Gates"]),
        ("London\nParis\nNew York\nTokyo", ["London", "Paris", "New York", "Tokyo"]),
        ("Love Rihanna RT @mtv: Drake wins again", ["Rihanna", "Drake"]),
        ("Angela Mer\u00adkel vis\u00adits Ber\u00adlin", ["Angela Mer\u00adkel", "Ber\u00adlin"]),
        ("Obama&#39;s speech in Berlin", ["Obama", "Berlin"]),
        ("AT&amp;T buys Time Warner", ["AT&amp;T", "Time Warner"]),
        ("New York http://t.co/abc London", ["New York", "London"]),
        ("🗼Paris❤️London🎡", ["Paris", "London"]),
    ],
)
def test_names_as_people_write_them(tagger, text, names):
    (answer,) = tag(tagger, post(text))
    assert [entity.text for entity in answer.entities] == names


def test_plain_names_are_found_with_their_places(tagger):
    text = "😀 Angela Merkel meets Barack Obama in Paris — says the BBC &amp; @someone"
    (answer,) = tag(tagger, post(text))
    found = {(entity.text, entity.type) for entity in answer.entities}
    assert {("Angela Merkel", "PER"), ("Barack Obama", "PER"), ("Paris", "LOC"), ("BBC", "ORG")} <= found
    assert all(text[entity.start : entity.end] == entity.text for entity in answer.entities)


def test_the_least_score_is_that_of_the_version_unless_the_setting_says_another(posts):
    def given(min_score):
        opened = open_tagger(Settings(min_score=min_score, emission_cache_bytes=0))
        return [entity for answer in opened.tag(opened.prepare(posts)) for entity in answer.entities]

    least = open_version(shipped_models()).description.min_score
    everything = given(0.0)
    assert given(None) == [entity for entity in everything if entity.score >= least]
    assert given(0.9) == [entity for entity in everything if entity.score >= 0.9] != everything


def test_alt_text_changes_the_input_and_not_the_text(tagger):
    with_alt = post("With @friend tonight", media=(Media(alt="Taylor Swift on stage in Chicago"),))
    for entity in tag(tagger, with_alt)[0].entities:
        assert with_alt.text[entity.start : entity.end] == entity.text


@pytest.mark.parametrize(("name", "least"), [("twitter2015", 0.70), ("twitter2017", 0.82)])
def test_development_f1_strict_text_and_hashtags_only(tagger, name, least):
    path = DATA / "mner" / name / "valid.txt"
    if not path.is_file():
        pytest.skip(f"{path} is not there: set TAGSTREAM_DATA to the folder of the tweet sets")
    assert len(read_conll(path)) in (1000, 723)
    assert score_conll(path, tagger)["strict"]["f1"] >= least
