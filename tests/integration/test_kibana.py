"""What Kibana would ask of a real index: every panel, saved search and rule, and the ten questions of the manual.

Kibana itself cannot be had without Docker. The searches that it sends are made from the saved objects
(`lens_panels.py`), and their figures compared with a plain count over the documents.
"""

import json
import math
import random
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kibana_queries import NotUnderstoodError, fields_named, from_kql, read_esql
from lens_panels import counted, rows_of, search_of

from ops.kibana.charts import NEWSROOM, OPERATIONS
from ops.kibana.data_views import DATA_VIEWS
from ops.kibana.lens import RECORDS, Chart
from ops.kibana.rule import rule
from ops.kibana.searches import SEARCHES
from ops.stack.shared import REPOSITORY
from search.elastic.index import ElasticIndex
from search.index import Change
from search.testing.detecting import event, say, trend
from search.testing.posts import entity, indexable, tagged, write
from search.testing.writing import deletion, letter, status
from tagstream.posts import Media, SegmentedHashtag, TaggedPost
from tagstream.settings import Settings

PREFIX = "kibanatest"
SETTINGS = Settings(elasticsearch_timeout_seconds=60)
CHARTS = (*NEWSROOM, *OPERATIONS)
NOW = datetime.now(UTC).replace(microsecond=0)
PAGE = (REPOSITORY / "docs" / "how-to" / "kibana.md").read_text(encoding="utf-8")
NUMBERS = {"long", "integer", "double", "float"}
# What the queries of charts mean, said again.
MEANINGS = {
    "": lambda _: True,
    "media_kinds: photo": lambda one: "photo" in one.get("media_kinds", ()),
    "not ended_at: *": lambda one: "ended_at" not in one,
    "degraded: *": lambda one: bool(one.get("degraded")),
    "untagged: *": lambda one: "untagged" in one,
}


def tag(word: str) -> SegmentedHashtag:
    return SegmentedHashtag(text=word, start=0, end=len(word) + 1, words=(word,))


def asked_about() -> list[TaggedPost]:
    """The posts that the ten questions find."""
    photo = Media(kind="photo", alt="a gate")
    moment = NOW - timedelta(hours=3)
    return [
        tagged("quake", "An Earthquake!", author="a", names=["Berlin"], media=[photo], created_at=moment),
        tagged("cut", "earthquake and a power cut", author="b", created_at=moment + timedelta(hours=1)),
        tagged("words", "they cut the power", author="c", created_at=moment),
        tagged("merkel", "Merkel", author="a", entities=[entity("Angela Merkel", "PER")], created_at=moment),
        tagged("shout", "MERKEL", author="c", entities=[entity("ANGELA MERKEL", "PER")], created_at=moment),
        tagged(
            "both",
            "two of them",
            author="b",
            entities=[entity("Angela Merkel", "PER"), entity("Emmanuel Macron", "PER")],
            created_at=moment,
        ),
        tagged("flood", "#flood", hashtags=[tag("flood")], author="d", created_at=moment),
        tagged("storm", "#storm", hashtags=[tag("storm"), tag("wind")], author="d", created_at=moment),
        tagged("german", "ein Satz", lang="de-AT", source="mastodon", author="e", created_at=moment),
        tagged("other", "noch ein Satz", lang="de", author="e", created_at=moment),
        tagged("slavey", "another language", lang="den", source="mastodon", author="e", created_at=moment),
        tagged("witness", "I am here", author="w", handle="witness.example.org", created_at=moment),
        tagged("gone", "earthquake power cut", author="x", created_at=moment),
        tagged("hidden", "earthquake power cut", author="hidden", created_at=moment),
    ]


def others(count: int = 150) -> list[TaggedPost]:
    chance = random.Random(5)
    made = []
    for number in range(count):
        photos = [Media(kind="photo", alt="x")] if chance.random() < 0.4 else []
        post = tagged(
            f"r{number}",
            f"about {chance.choice(['rain', 'snow', 'sun'])}",
            author=f"author{chance.randrange(30)}",
            names=chance.sample(["Merkel", "Macron", "Obama", "Paris", "Rome", "Oslo"], chance.randrange(4)),
            entities=[entity(chance.choice(["NATO", "UN", "EU"]), "ORG")] if chance.random() < 0.5 else [],
            hashtags=[tag(chance.choice(["news", "live"]))] if chance.random() < 0.3 else [],
            lang=chance.choice(["en", "fr", "es"]),
            media=photos,
            source=chance.choice(["bluesky", "rss"]),
            created_at=NOW - timedelta(seconds=chance.randrange(1, 20_000)),
        )
        update: dict[str, Any] = {"langs": (post.lang,)}
        if photos:
            update["image_labels"] = (chance.choice(["fire", "crowd"]),)
        if chance.random() < 0.2:
            update["degraded"] = ("photo_unavailable",)
        if chance.random() < 0.1:
            update |= {"untagged": "language", "entities": ()}
        made.append(post.model_copy(update=update))
    return made


@pytest.fixture(scope="module")
def server(elasticsearch: Any) -> str:
    return str(elasticsearch.url)


@pytest.fixture
async def index(server: str) -> AsyncIterator[ElasticIndex]:
    """The index, filled by the first test that asks for it."""
    index = await ElasticIndex.open(f"{server}/{PREFIX}", SETTINGS)
    if not await documents(index, "tagstream-posts"):
        await fill(index)
    yield index
    await index.close()


async def fill(index: ElasticIndex) -> None:
    posts: list[Change] = [indexable(one, observed_at=NOW) for one in (*asked_about(), *others())]
    letters = [letter(f"d{number}", ("malformed", "oversized", "model")[number % 3]) for number in range(17)]
    await write(index, *posts, *letters, deletion("gone"), status("hidden", 1, hidden=True))
    await index._shown.finish()
    await say(
        index,
        *(trend(key, minute, score=minute + 3.0) for key in ("paris", "rome", "oslo") for minute in range(4)),
        *(event(name, posts=place * 4) for place, name in enumerate(("one", "two", "three"), 1)),
        event("over", ended=5, posts=30),
    )


async def documents(index: ElasticIndex, title: str) -> list[dict[str, Any]]:
    """Returns every document that a data view shows."""
    answer = await index.client.raw.search(index=named(title), size=1_000, query={"match_all": {}})
    return [hit["_source"] for hit in answer["hits"]["hits"]]


def named(title: str) -> str:
    """Returns the index of this test that a data view of tagstream's own prefix stands for."""
    return title.replace("tagstream", PREFIX, 1)


async def fields(index: ElasticIndex, title: str) -> Mapping[str, Mapping[str, Any]]:
    """Returns what the server says of each field, as Kibana asks it for a data view."""
    answer = await index.client.raw.field_caps(index=named(title), fields="*")
    return {name: next(iter(kinds.values())) for name, kinds in answer["fields"].items() if len(kinds) == 1}


async def test_every_field_of_the_saved_objects_is_there_with_the_right_type(index: ElasticIndex) -> None:
    known = {view.title: await fields(index, view.title) for view in DATA_VIEWS}
    for view in DATA_VIEWS:
        assert known[view.title][view.time]["type"] == "date"
        assert known[view.title][view.time]["aggregatable"]
    for one in SEARCHES:
        assert {*one.columns} <= known[one.view.title].keys(), one.name
    for chart in CHARTS:
        for column in (*chart.buckets.values(), *chart.figures.values()):
            if column["sourceField"] == RECORDS:
                continue
            found = known[chart.view.title][column["sourceField"]]
            assert found["aggregatable"], (chart.name, column["sourceField"])
            kinds = {"date_histogram": {"date"}, "terms": {"keyword"}, "unique_count": {"keyword", "long"}}
            figures = {"date"} if column["dataType"] == "date" else NUMBERS
            assert found["type"] in kinds.get(column["operationType"], figures), (chart.name, column["sourceField"])
    text = known["tagstream-posts"]["text"]
    assert (text["type"], text["searchable"]) == ("text", True)


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
async def test_a_panel_answers_with_the_figures_of_a_plain_count(index: ElasticIndex, chart: Chart) -> None:
    meant = MEANINGS[chart.query]
    shown = [one for one in await documents(index, chart.view.title) if meant(one)]
    expected = counted(chart, shown)
    answer = await index.client.raw.search(index=named(chart.view.title), **search_of(chart))
    rows = rows_of(chart, answer.body)
    assert answer["hits"]["total"]["value"] == len(shown) > 0
    assert rows
    assert all(value > 0 for _, figures in rows for value in figures if not math.isnan(value))
    for key, figures in rows:
        assert figures == pytest.approx(expected[key], rel=0.05, nan_ok=True), key
    outer = next(iter(chart.buckets.values()), None)
    if outer is None or (outer["operationType"] == "date_histogram" and len(chart.buckets) == 1):
        assert len(rows) == len(expected)
    elif len(chart.buckets) == 1:
        place = list(chart.figures).index(outer["params"]["orderBy"]["columnId"])
        highest = sorted((figures[place] for figures in expected.values()), reverse=True)
        assert [figures[place] for _, figures in rows] == highest[: outer["params"]["size"]]


@pytest.mark.parametrize("one", SEARCHES, ids=lambda one: one.name)
async def test_a_saved_search_finds_something(index: ElasticIndex, one: Any) -> None:
    sort = [{one.view.time: "desc"}]
    answer = await index.client.raw.search(
        index=named(one.view.title), query=from_kql(one.query), sort=sort, size=1_000
    )
    found = [hit["_source"] for hit in answer["hits"]["hits"]]
    assert found == sorted(found, key=lambda hit: hit[one.view.time], reverse=True)
    assert len(found) == sum(map(MEANINGS[one.query], await documents(index, one.view.title))) > 0


async def test_the_rule_finds_each_event_once_that_was_stored_in_its_window(index: ElasticIndex) -> None:
    """However long ago they happened, and however often their states were stored."""
    await say(index, event("one", 3, posts=4))
    params = rule()["params"]
    assert params["timeWindowUnit"] == "h"
    now = datetime.now(UTC)

    async def groups(end: datetime) -> dict[str, int]:
        between = {"gte": (end - timedelta(hours=params["timeWindowSize"])).isoformat(), "lt": end.isoformat()}
        window = {"range": {params["timeField"]: {**between, "format": "strict_date_optional_time"}}}
        query = {"bool": {"filter": [json.loads(params["esQuery"])["query"], window]}}
        terms = {"terms": {"field": params["termField"], "size": params["termSize"]}}
        answer = await index.client.raw.search(
            index=named(params["index"][0]), size=0, query=query, aggs={"group": terms}
        )
        return {bucket["key"]: bucket["doc_count"] for bucket in answer["aggregations"]["group"]["buckets"]}

    assert await groups(now + timedelta(seconds=1)) == dict.fromkeys(("one", "two", "three", "over"), 1)
    assert await groups(now - timedelta(hours=1)) == {}


def questions() -> dict[str, tuple[str, str]]:
    """Returns the KQL and the ES|QL of each question of the manual."""
    found = re.findall(r"### (\d+) [^\n]*\n(.*?)(?=\n### |\Z)", PAGE, re.DOTALL)
    blocks = {number: dict(re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL)) for number, text in found}
    return {number: (one["kql"].strip(), " ".join(one["esql"].split())) for number, one in blocks.items()}


ANSWERS: dict[str, set[str]] = {
    "1": {"quake", "cut"},
    "2": {"cut"},
    "3": {"merkel", "shout", "both"},
    "5": {"quake"},
    "6": {"flood", "storm"},
    "7": {"german"},
    "8": {"witness"},
    "9": {"quake", "cut"},
    "10": {"two", "three"},
}


@pytest.mark.parametrize("number", [str(number) for number in range(1, 11)])
async def test_a_question_of_the_manual_is_answered_alike_in_both_languages(index: ElasticIndex, number: str) -> None:
    kql, text = questions()[number]
    esql = read_esql(text)
    known = await fields(index, esql.index)
    assert fields_named(esql) <= known.keys()
    all_of = await documents(index, esql.index)
    for name in esql.single:
        assert not any(isinstance(one.get(name), list) and len(one[name]) > 1 for one in all_of), name
    found = [await names_found(index, esql.index, query) for query in (from_kql(kql), esql.query)]
    assert found[0] == found[1] != set()
    assert found[0] == ANSWERS.get(number, found[0])
    if not esql.figures:
        assert esql.limit is not None
        assert len(found[0]) <= esql.limit


async def names_found(index: ElasticIndex, title: str, query: Mapping[str, Any]) -> set[str]:
    answer = await index.client.raw.search(index=named(title), query=query, size=1_000)
    return {str(hit["_source"]["id"]).rpartition(":")[2] for hit in answer["hits"]["hits"]}


async def test_the_figures_of_the_questions_are_right(index: ElasticIndex) -> None:
    shown = await documents(index, "tagstream-posts")
    authors: dict[str, set[int]] = {}
    for one in shown:
        for name in one.get("person_key", ()):
            authors.setdefault(name, set()).add(one["author"])
    rows = await figures(index, "4")
    assert len(rows) == 5
    assert rows["angela merkel"] == {"authors": 3, "posts": 3}
    assert {name: row["authors"] for name, row in rows.items()} == {name: len(of) for name, of in authors.items()}
    hours = await figures(index, "9")
    assert [row["posts"] for row in hours.values()] == [1, 1]


async def figures(index: ElasticIndex, number: str) -> dict[str, dict[str, float]]:
    """Returns the rows of an ES|QL question that counts, by their group."""
    esql = read_esql(questions()[number][1])
    ((name, group),) = esql.groups.items()
    metrics = {one: body for one, body in esql.figures.items() if body is not None}
    answer = await index.client.raw.search(
        index=named(esql.index), size=0, query=esql.query, aggs={name: {**group, "aggs": metrics}}
    )
    rows = {}
    for bucket in answer["aggregations"][name]["buckets"]:
        row = {one: bucket[one]["value"] if body else bucket["doc_count"] for one, body in esql.figures.items()}
        rows[str(bucket["key"])] = row
    return rows


def test_the_manual_has_ten_questions_and_names_what_there_is() -> None:
    assert sorted(questions(), key=int) == [str(number) for number in range(1, 11)]


@pytest.mark.parametrize(
    "text", ["SELECT *", "FROM a | EVAL x = 1", "FROM a | WHERE b", "FROM a | STATS AVG(x)", "WHERE a == 1", "FROM a,b"]
)
def test_esql_that_the_translation_does_not_know_is_refused(text: str) -> None:
    with pytest.raises((NotUnderstoodError, IndexError)):
        read_esql(text)


@pytest.mark.parametrize("text", ["text:", "(text: a", "text: a)", "and", "text: a or"])
def test_kql_that_the_translation_does_not_know_is_refused(text: str) -> None:
    with pytest.raises(NotUnderstoodError):
        from_kql(text)


def test_kql_is_translated_as_kibana_does() -> None:
    cases: Sequence[tuple[str, dict[str, Any]]] = (
        ("", {"match_all": {}}),
        ("text: big storm", {"match": {"text": "big storm"}}),
        ('text: "big storm"', {"match_phrase": {"text": "big storm"}}),
        ("lang: de*", {"query_string": {"fields": ["lang"], "query": "de*"}}),
        ("not ended_at: *", {"bool": {"must_not": [{"exists": {"field": "ended_at"}}]}}),
        ("authors >= 5", {"range": {"authors": {"gte": "5"}}}),
        (
            "a: b and c: (d or e)",
            {
                "bool": {
                    "filter": [
                        {"match": {"a": "b"}},
                        {"bool": {"should": [{"match": {"c": "d"}}, {"match": {"c": "e"}}], "minimum_should_match": 1}},
                    ]
                }
            },
        ),
    )
    for text, query in cases:
        assert from_kql(text) == query, text
