"""The pages: what they show, and that no post can do more than be read."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import httpx
import pytest

from search.index import EntityIndex
from search.testing.detecting import event, evidence, say, trend
from search.testing.posts import OBSERVED, START, entity, indexable, tagged
from search.web.markup import web_address
from tagstream.dead_letter import dead_letter
from tagstream.detections import DetectedEvent
from tagstream.posts import DeadLetter, Deletion

PAGES = [
    "/",
    "/trends",
    "/events",
    "/search",
    "/search?q=berlin&since=2020-01-01&order=relevance",
    "/name?key=berlin&type=LOC",
    "/name?key=berlin",
    "/post?id=jsonl:1",
    "/system",
    "/token",
]
BROKEN = [
    ("/search?q=(", 400),
    ("/search?since=01/03/2026", 400),
    ("/search?after=nonsense", 400),
    ("/search?order=best", 400),
    ("/trends?window=1M", 400),
    ("/name", 400),
    ("/name?key=a&type=XYZ", 400),
    ("/post?id=none", 404),
    ("/event?id=none", 404),
    ("/static/..%2fapp.py", 404),
    ("/nowhere", 404),
]


class Elements(HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.mark.parametrize("address", PAGES)
async def test_every_page_is_whole_and_loads_nothing_from_elsewhere(client: httpx.AsyncClient, address: str) -> None:
    answer = await client.get(address)
    assert answer.status_code == 200
    page = Elements(answer.text)
    assert len(page.named("h1")) == 1
    assert page.named("html") == [{"lang": "en"}]
    for element, attribute in (("link", "href"), ("script", "src"), ("img", "src"), ("form", "action")):
        for attributes in page.named(element):
            assert (attributes.get(attribute) or "/").startswith("/")
            assert not (attributes.get(attribute) or "/").startswith("//")
    assert not [name for _, attributes in page.found for name in attributes if name.startswith("on") or name == "style"]


@pytest.mark.parametrize(
    "address", ["/", "/search?q=berlin", "/name?key=berlin&type=LOC", "/post?id=jsonl:1", "/system"]
)
async def test_a_hostile_post_is_only_text(client: httpx.AsyncClient, address: str) -> None:
    answer = await client.get(f"{address}{'&' if '?' in address else '?'}size=100")
    if address == "/":  # it is on the second page
        answer = await client.get("/search?q=berlin")
    page = Elements(answer.text)
    scripts = page.named("script")
    assert all(set(script) == {"src", "defer"} for script in scripts)
    assert "<script>alert(1)</script>" in "".join(page.texts)
    assert "\u202e" not in answer.text
    assert "\x1b" not in answer.text
    assert "49" not in "".join(page.texts).replace("2049", "")


@pytest.mark.parametrize(
    "url",
    [
        "https://bbc.co.uk@evil.example",
        "https://bbc.co.uk:80@evil.example/",
        "https://@evil.example",
        "https://evil.example\\@bbc.co.uk",
        "https://bbc.co.uk\uff20evil.example",
        "javascript:alert(1)",
        "//evil.example",
    ],
)
def test_an_address_that_looks_like_another_is_no_link(url: str) -> None:
    assert web_address(url) is None
    assert web_address("https://bbc.co.uk/@user?a=b@c") == "https://bbc.co.uk/@user?a=b@c"


async def test_names_are_links_to_their_pages(client: httpx.AsyncClient) -> None:
    page = Elements((await client.get("/post?id=jsonl:2")).text)
    [name] = [found for found in page.named("a") if "name" in (found.get("class") or "").split()]
    assert name["href"] == "/name?type=LOC&key=berlin"
    assert (await client.get(name["href"])).status_code == 200


async def test_pages_of_a_search_follow_each_other(client: httpx.AsyncClient) -> None:
    seen: list[str] = []
    address: str | None = "/search"
    while address:
        page = Elements((await client.get(address)).text)
        links = [found["href"] or "" for found in page.named("a")]
        seen += [link for link in links if link.startswith("/post?id=")]
        address = next((link for link in links if "after=" in link), None)
    assert len(seen) == len(set(seen)) == 43


async def test_a_bar_asks_for_its_own_stretch_of_time(client: httpx.AsyncClient) -> None:
    page = Elements((await client.get("/search?q=berlin")).text)
    bars = [
        found["href"] or ""
        for found in page.named("a")
        if "since=" in (found["href"] or "") and "until=" in found["href"]
    ]
    assert bars
    totals = []
    for bar in bars:
        text = "".join(Elements((await client.get(bar)).text).texts)
        totals.append(int(re.findall(r"([0-9]+) posts", text)[0]))
    assert sum(totals) == 2


@pytest.mark.parametrize(("address", "status"), BROKEN)
async def test_what_cannot_be_answered_is_said_on_a_page(client: httpx.AsyncClient, address: str, status: int) -> None:
    answer = await client.get(address)
    assert answer.status_code == status
    assert Elements(answer.text).named("p")
    assert "Traceback" not in answer.text


async def test_the_rate_of_the_feed_and_how_far_it_is_behind_are_shown(
    client: httpx.AsyncClient, index: EntityIndex
) -> None:
    now = datetime.now(UTC).replace(second=30, microsecond=0) - timedelta(minutes=10)
    ages = [0, 0, 0, 5, 59, 61]
    for at, age in enumerate(ages):
        moment = now - timedelta(minutes=age)
        await index.write([indexable(tagged(f"rate{at}", "on", author=f"rate{at}", created_at=moment), at, moment)])
    page = Elements((await client.get("/system")).text)
    text = "".join(page.texts)
    assert "3 posts in the last minute of the feed, 5 in its last hour" in text
    assert re.search(r"behind now\s*(9|10) minutes", text)
    assert page.named("svg")


async def test_a_bar_says_its_posts_and_how_many_are_not_drawn(client: httpx.AsyncClient, index: EntityIndex) -> None:
    far = tagged("far", "Berlin", author="far", created_at=OBSERVED.replace(year=9999))
    await index.write([indexable(far)])
    page = (await client.get("/search?q=berlin")).text
    assert re.findall(r"<title>[0-9: -]+: ([^<]*)</title>", page).count("1 post") == 2
    assert "authors" not in "".join(re.findall(r"<title>[^<]*</title>", page))
    assert "1 post of times far from all others is not drawn" in page
    assert "not drawn" not in (await client.get("/search?q=more")).text


async def test_a_search_can_be_had_as_json(client: httpx.AsyncClient) -> None:
    page = Elements((await client.get("/search?q=berlin&order=relevance")).text)
    (address,) = [found["href"] for found in page.named("a") if (found["href"] or "").startswith("/api/posts")]
    assert (await client.get(address or "")).json()["total"] == 2


async def test_the_bytes_of_dead_letters_are_shown(client: httpx.AsyncClient) -> None:
    texts = "".join(Elements((await client.get("/system")).text).texts)
    assert "invalid_json" in texts
    assert "alert(1)" in texts


async def test_of_many_dead_letters_the_first_are_read_and_all_are_counted(
    client: httpx.AsyncClient, index: EntityIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = [
        dead_letter(origin=f"g:{number}", source="jsonl", cause="odd", message="m", body=b"b") for number in range(70)
    ]
    await index.write(letters)
    read = 0
    as_before = index.dead_letters

    async def counted(cause: str | None = None, *, size: int | None = None) -> AsyncIterator[DeadLetter]:
        nonlocal read
        async for letter in as_before(cause, size=size):
            read += 1
            yield letter

    monkeypatch.setattr(index, "dead_letters", counted)
    page = Elements((await client.get("/system")).text)
    assert (read, len(page.named("details"))) == (50, 50)
    text = "".join(page.texts)
    assert "odd 70" in text
    assert "invalid_json 1" in text


async def test_a_malformed_query_is_shown_with_its_place_and_can_be_mended(client: httpx.AsyncClient) -> None:
    answer = await client.get("/search", params={"q": "red <b> persn:<i>x"})
    assert answer.status_code == 400
    assert "^^^^^" in answer.text
    assert 'value="red &lt;b&gt; persn:&lt;i&gt;x"' in answer.text
    assert "<i>" not in answer.text


async def test_facets_are_of_the_whole_result_and_each_link_finds_as_many(client: httpx.AsyncClient) -> None:
    page = Elements((await client.get("/search")).text)
    aside = [found["href"] or "" for found in page.named("a") if "q=source%3A" in (found["href"] or "")]
    assert aside
    assert "Counted over all 43 posts" in "".join(page.texts)
    text = "".join(Elements((await client.get(aside[0])).text).texts)
    assert re.findall(r"([0-9]+) posts", text)[0] == "43"


async def test_a_search_that_finds_nothing_offers_one_that_does(client: httpx.AsyncClient) -> None:
    page = Elements((await client.get("/search", params={"q": "brelin"})).text)
    assert [found["href"] for found in page.named("a") if found["href"] == "/search?q=berlin"]


async def test_the_words_that_were_asked_for_are_marked(client: httpx.AsyncClient) -> None:
    text = (await client.get("/search", params={"q": "nothing"})).text
    assert "<mark>nothing</mark> here" in text
    hostile = (await client.get("/search", params={"q": "script alert"})).text
    assert "<script>" not in hostile.replace('<script src="', "")


async def test_an_event_names_the_places_of_its_posts(client: httpx.AsyncClient, index: EntityIndex) -> None:
    times = dict.fromkeys(("minute", "detected_at", "started_at", "peak_at"), START)
    word = {"type": "WORD", "key": "again", "text": "again", "posts": 7, "authors": 5}
    evidence = [{"post_id": f"jsonl:{number}", "minute": START, "trending": ("again",)} for number in (1, 2, 3)]
    event = {"id": "e", "names": ("again",), "authors": 5, "posts": 7, "score": 9.0, "subjects": (word,)} | times
    await index.write_detections([], [DetectedEvent.model_validate(event | {"evidence": tuple(evidence)})])
    page = " ".join((await client.get("/event?id=e")).text.split())
    assert '>Berlin</a> <span class="quiet">2 of the posts below</span>' in page
    berlin = {"text": "Berlin", "type": "LOC", "key": "berlin", "posts": 2, "authors": 2}
    for answer in ((await client.get("/api/event?id=e")).json(), (await client.get("/api/events")).json()[0]):
        assert (answer["entities"], [one["text"] for one in answer["subjects"]]) == ([berlin], ["again"])
    await index.write([Deletion(id="jsonl:2", source="jsonl")])
    assert (await client.get("/api/event?id=e")).json()["entities"] == []


async def test_further_pages_and_suggestions_keep_the_source_and_the_order(client: httpx.AsyncClient) -> None:
    page = Elements((await client.get("/search?source=jsonl&order=relevance&q=post")).text)
    [older] = [found["href"] or "" for found in page.named("a") if "after=" in (found["href"] or "")]
    assert "source=jsonl" in older
    assert "order=relevance" in older
    assert [found["value"] for found in page.named("input") if found.get("name") == "source"] == ["jsonl"]
    assert len(Elements((await client.get(older)).text).named("article")) == 10
    none = Elements((await client.get("/search?source=jsonl&order=relevance&q=brelin")).text)
    assert [
        found["href"] for found in none.named("a") if found["href"] == "/search?q=berlin&source=jsonl&order=relevance"
    ]


async def test_a_post_that_claims_a_later_time_is_marked_with_its_reception(
    client: httpx.AsyncClient, index: EntityIndex
) -> None:
    later = OBSERVED.replace(hour=OBSERVED.hour + 1)  # long ago by now, and later than it was received
    posts = [tagged("stray", "stray", created_at=later), tagged("far", "far", created_at=later.replace(year=9999))]
    await index.write([indexable(post) for post in posts])
    for address in ("/search?q=stray OR far", "/search?q=stray OR far&order=relevance"):
        text = re.sub(r"<[^>]+>|\s+", " ", (await client.get(address)).text)
        assert len(re.findall(f"claims a later time +received +{OBSERVED:%Y-%m-%d %H:%M}", text)) == 2, address
    now = (await client.get("/")).text
    assert len(re.findall("<span class=.badge.>claims a later time", now)) == 2
    assert "2 posts of these claim a later time" in now
    assert now.index("post 39") < now.index("<details>") < now.index("far")
    assert "claims a later time" in (await client.get("/post?id=jsonl:far")).text
    assert "claims a later time" not in (await client.get("/search?q=berlin")).text


async def test_a_drawing_over_time_has_an_axis_in_words(client: httpx.AsyncClient, index: EntityIndex) -> None:
    await say(
        index,
        *(event("e", minute, authors=authors, seen=evidence("1")) for minute, authors in ((0, 3), (1, 9), (4, 5))),
    )
    axes = {}
    for address in ("/search?q=berlin", "/name?key=berlin&type=LOC", "/event?id=e"):
        [axis] = re.findall(r'<p class="axis quiet">.*?</p>', (await client.get(address)).text)
        axes[address] = " ".join(re.sub(r"<[^>]+>", " ", axis).split())
    histogram = f"{START:%Y-%m-%d %H:%M} each bar 1 minute, at most 1 post {START:%Y-%m-%d} 12:31"
    assert axes["/search?q=berlin"] == axes["/name?key=berlin&type=LOC"] == histogram
    day = f"{START:%Y-%m-%d}"
    assert axes["/event?id=e"] == f"{day} 12:00 minute by minute, at most 9 authors {day} 12:04"


async def test_a_name_is_headed_by_its_commonest_spelling_and_all_its_posts_are_reached(
    client: httpx.AsyncClient, index: EntityIndex
) -> None:
    spellings = ["KAMALA HARRIS", *["Kamala Harris"] * 44]  # the newest first
    named = [
        tagged(f"name{number}", minute=number, entities=[entity(spelling, "PER"), entity("Kamala harris", "ORG")])
        for number, spelling in enumerate(spellings[::-1])
    ]
    await index.write([indexable(post) for post in named])
    page = Elements((await client.get("/name?key=kamala harris&type=PER")).text)
    assert "<h1>Kamala Harris</h1>" in (await client.get("/name?key=kamala harris&type=PER")).text
    assert "written Kamala Harris, KAMALA HARRIS" in " ".join(page.texts)
    [older] = [found["href"] or "" for found in page.named("a") if "after=" in (found["href"] or "")]
    assert len(page.named("article")) + len(Elements((await client.get(older)).text).named("article")) == 45


async def test_a_narrow_screen_has_a_way_to_the_facets_before_the_posts(client: httpx.AsyncClient) -> None:
    page = Elements((await client.get("/search?q=post")).text)
    order = [(name, found.get("href") or found.get("id")) for name, found in page.found]
    assert (
        order.index(("a", "#narrow")) < [name for name, _ in order].index("article") < order.index(("aside", "narrow"))
    )


async def test_each_detected_trend_is_drawn_over_its_rise(client: httpx.AsyncClient, index: EntityIndex) -> None:
    mentions = [tagged(f"p{number}", minute=85 + number, author=f"a{number}", names=["Paris"]) for number in range(5)]
    await index.write([indexable(post) for post in mentions])
    states = [trend("paris", 89), *(trend(f"city{number}", 89, score=1) for number in range(25))]
    seen = evidence("p1", keys=tuple(state.key for state in states))
    await say(index, *(state.model_copy(update={"evidence": seen}) for state in states))
    page = Elements((await client.get("/trends")).text)
    drawn = [found["aria-label"] for found in page.named("svg")]
    assert len([found for found in page.named("a") if "/name?" in (found["href"] or "")]) == len(drawn)
    assert drawn[0] == "from 0 to 5, at most 5"
    assert len([text for text in page.texts if text.startswith("City")]) == 19  # beside Paris


async def test_a_narrow_screen_leaves_out_what_matters_less(client: httpx.AsyncClient, index: EntityIndex) -> None:
    await say(index, trend("berlin", seen=evidence("1", keys=("berlin",))))
    page = Elements((await client.get("/trends")).text)
    assert len([found for found in page.named("th") if found.get("class") == "less"]) == 4
    assert len([found for found in page.named("td") if found.get("class") == "less"]) == 4
    assert ".less { display: none; }" in (await client.get("/static/style.css")).text


async def test_what_trended_in_an_archive_is_shown_at_its_best(client: httpx.AsyncClient, index: EntityIndex) -> None:
    rise = [tagged(f"r{number}", minute=120, author=f"a{number}", names=["Boston"]) for number in range(9)]
    ends = [tagged(f"e{number}", minute=600, author=f"z{number}", names=["Oslo"]) for number in range(9)]
    await index.write([indexable(post) for post in rise + ends])
    silent = (await client.get("/trends?until=2026-03-01T20:00Z")).text
    assert "Boston" not in silent
    assert 'href="/trends?window=best"' in silent
    row = re.search(r">Boston</a>.*?</tr>", (await client.get("/trends?window=best")).text, re.DOTALL)
    assert row
    assert re.search(rf"until <time[^>]*>{START:%Y-%m-%d} 14:", row[0])
