"""Scenarios 8, 9, 12 and 13: what a search finds, how pages follow, what readers see.

Numbers as in docs/reference/index-contract.md.
"""

import asyncio
import itertools
import random
from contextlib import suppress
from datetime import timedelta

import pytest

from search.index import EntityIndex, Query
from search.query import MalformedQuery, parse
from search.testing.evaluation import holds, random_posts, random_query
from search.testing.posts import START, entity, found, stored, tagged, write
from tagstream.errors import BadSettings
from tagstream.posts import Deletion, Link, Media, SegmentedHashtag

HOSTILE = [
    '"', '""', '"""', "'", "';DROP TABLE documents;--", "* ", "*", "a* b*", "**", "(", "((", ")", "a AND", "AND", "OR",
    "NOT", "NOT a", "NEAR", "NEAR(a b, 5)", "a NEAR b", "words:a", "marks : a", "{a b}: c", "^a", "a + b", "a:b:c", ":",
    "-", "--", "- a", "-- a", "\0", "a\0b", "\\", "%", "_", "entity:", 'entity:"', "entity:*", "since:", "since:x",
    "\ud800", "\u202e", "\ufffd", "␞", "since:9999-12-31 until:0001-01-01", "type:X", "has:", "a" * 1999,
    "-a OR b", "OR OR", "a OR", "'a' 'b'", "; PRAGMA user_version = 9", "\n\t", "﷽", "e\u0301" * 500, "🏳️‍🌈", "rowid:1",
]  # fmt: skip


def names_of(page_posts: object) -> list[str]:
    return [post.id.rpartition(":")[2] for post in page_posts]  # type: ignore[attr-defined]


class ReadingContract:
    """The promises of every index about searching and streaming."""

    whole_batches: bool = True

    async def test_8a_words_are_all_wanted_and_folded(self, index: EntityIndex) -> None:
        await write(index, tagged("a", "Zürich's STRASSE", minute=1), tagged("b", "Straße in Zurich", minute=2))
        await write(index, tagged("c", "zurich"), tagged("d", "Zürichsee"))
        assert await found(index, "zurich strasse") == await found(index, "ZÜRICH Straße") == ["b", "a"]
        assert await found(index, "zurich nowhere") == []

    async def test_8b_a_phrase_is_side_by_side_in_one_text(self, index: EntityIndex) -> None:
        photo = Media(alt="Brandenburg Gate", url="https://example.org/1.jpg")
        await write(index, tagged("a", "in New York today"), tagged("b", "York is not New", media=[photo]))
        assert await found(index, '"new york"') == ["a"]
        assert await found(index, '"brandenburg gate"') == ["b"]
        assert await found(index, '"new brandenburg"') == []
        assert await found(index, '"York New"') == []

    async def test_8c_the_beginning_of_a_word(self, index: EntityIndex) -> None:
        await write(index, tagged("a", "Merkel speaks"), tagged("b", "merkantil"), tagged("c", "mer"))
        assert sorted(await found(index, "merk*")) == ["a", "b"]

    async def test_8d_without_and_either(self, index: EntityIndex) -> None:
        await write(index, tagged("a", "red green", minute=1), tagged("b", "red", minute=2), tagged("c", "blue"))
        assert await found(index, "red -green") == ["b"]
        assert await found(index, "-red") == ["c"]
        assert await found(index, "green OR blue") == ["a", "c"]
        assert await found(index, "green OR blue red") == ["a"]

    async def test_8e_entities_by_name_and_type(self, index: EntityIndex) -> None:
        paris_hilton = entity("Paris", "PER")
        await write(index, tagged("city", minute=2, names=["Paris"]), tagged("person", entities=[paris_hilton]))
        await write(index, tagged("text only", "Paris", minute=3), tagged("longer", names=["New Paris"]))
        assert await found(index, 'entity:"PARIS"') == ["city", "person"]
        assert await found(index, 'place:"paris"') == ["city"]
        assert sorted(await found(index, "place:paris")) == ["city", "longer"]
        assert await found(index, "person:Paris") == ["person"]
        assert await found(index, "type:PER") == ["person"]
        assert await found(index, "organisation:paris") == []
        assert sorted(await found(index, "paris -has:entity")) == ["text only"]

    async def test_8f_hashtags_as_the_tag_and_as_its_words(self, index: EntityIndex) -> None:
        tag = SegmentedHashtag(text="NewYorkCity", start=3, end=15, words=("New", "York", "City"))
        await write(index, tagged("a", "in #NewYorkCity today", hashtags=[tag]), tagged("b", "new york city"))
        for query in ("#newyorkcity", "hashtag:NewYorkCity", "newyorkcity", "has:hashtag"):
            assert await found(index, query) == ["a"]
        assert sorted(await found(index, '"new york city"')) == ["a", "b"]
        assert await found(index, '"in new york city today"') == ["a"]

    async def test_8g_scripts_without_spaces(self, index: EntityIndex) -> None:
        await write(index, tagged("a", "東京都に行く", minute=1), tagged("b", "京都は美しい"), tagged("c", "ประเทศไทย"))
        assert await found(index, "東京") == ["a"]
        assert await found(index, "京都") == ["a", "b"]
        assert await found(index, "東京都") == ["a"]
        assert await found(index, "都") == ["a", "b"]
        assert await found(index, "く") == ["a"]
        assert await found(index, "東都") == []
        assert await found(index, "ไทย") == ["c"]

    async def test_8h_emoji_and_right_to_left(self, index: EntityIndex) -> None:
        await write(index, tagged("a", "fire🔥🔥 in القاهرة"), tagged("b", "👍🏽 שָׁלוֹם", minute=1), tagged("c", "🇩🇪🇫🇷"))
        assert await found(index, "🔥") == ["a"]
        assert await found(index, "fire") == ["a"]
        assert await found(index, "القَاهرة") == ["a"]
        assert await found(index, "👍") == await found(index, "שלום") == ["b"]
        assert await found(index, "🇫🇷") == ["c"]
        assert await found(index, "🇪🇫") == []

    async def test_8i_properties(self, index: EntityIndex) -> None:
        photo = Media(url="https://example.org/1.jpg")
        await write(index, tagged("a", source="mastodon:host.example", author="17", handle="Bea", lang="de", minute=1))
        await write(index, tagged("b", "see https://example.org/x", media=[photo], author="18"))
        for query in ("source:mastodon", "source:mastodon:host.example", "author:17", "author:@bea", "lang:DE"):
            assert await found(index, query) == ["a"]
        assert await found(index, "has:photo") == await found(index, "has:link") == ["b"]
        assert await found(index, "", source="jsonl") == ["b"]
        assert await found(index, "has:video") == await found(index, "source:host.example") == []

    async def test_8i_2_a_language_is_found_however_it_is_asked_for(self, index: EntityIndex) -> None:
        await write(index, *(tagged(lang, lang=lang) for lang in ("en", "en-US", "zh-Hant-TW", "enm")), tagged("none"))
        for query in ("lang:en", "lang:EN", "lang:English", "lang:eng"):
            assert sorted(await found(index, query)) == ["en", "en-US"]
        assert await found(index, "lang:en_us") == ["en-US"]
        both = tagged("both").model_copy(update={"lang": "pt-BR", "langs": ("pt-BR", "fr")})
        await write(index, both)
        assert await found(index, "lang:fr") == await found(index, "lang:pt") == ["both"]
        assert await found(index, "lang:zh") == await found(index, "lang:zh-Hant") == ["zh-Hant-TW"]
        assert await found(index, "lang:und") == ["none"]
        assert await found(index, "lang:zh-Hans") == []

    async def test_8j_time_begins_with_since_and_ends_before_until(self, index: EntityIndex) -> None:
        await write(index, *(tagged(str(minute), minute=minute) for minute in range(4)))
        second, third = START + timedelta(minutes=1), START + timedelta(minutes=3)
        assert await found(index, "", since=second, until=third) == ["2", "1"]
        assert await found(index, "since:2026-03-01T12:01 until:2026-03-01T12:03") == ["2", "1"]
        assert await found(index, "since:2026-03-01T12:01", until=third) == ["2", "1"]
        assert await found(index, "until:2026-03-01") == []

    async def test_8k_nothing_a_user_types_is_anything_but_a_query(self, index: EntityIndex) -> None:
        await write(index, tagged("a", "a b words"))
        for text, order in itertools.product(HOSTILE, ("newest", "relevance")):
            with suppress(MalformedQuery):
                page = await index.search(Query(text, order=order))  # type: ignore[arg-type]
                assert page.total == len(page.posts) <= 1, text
        assert len(await stored(index)) == 1

    async def test_8l_relevance_prefers_the_post_that_is_about_it(self, index: EntityIndex) -> None:
        await write(index, tagged("long", "merkel and " + "other words " * 30, minute=9), tagged("short", "merkel"))
        await write(index, *(tagged(f"other {number}") for number in range(20)))
        assert await found(index, "merkel", order="relevance") == ["short", "long"]
        assert await found(index, "merkel") == ["long", "short"]

    async def test_8m_a_found_post_is_the_post_that_was_written(self, index: EntityIndex) -> None:
        tag = SegmentedHashtag(text="X", start=0, end=2, words=("X",))
        photo = Media(alt="an alt \U0001f600", url="https://example.org/1.jpg", width=3, height=4)
        post = tagged("ü/é 1", "#X\u0000 \U0001f600", names=["Merkel"], hashtags=[tag], media=[photo], author="a")
        await write(index, post)
        assert (await index.get("jsonl:ü/é 1"), await stored(index)) == (post, [post])
        assert (await index.search(Query("x"))).posts == (post,)
        assert await index.get("jsonl:none") is None

    async def test_8n_labels_of_photos_and_what_is_missing(self, index: EntityIndex) -> None:
        boat = tagged("boat", minute=1).model_copy(update={"image_labels": ("fishing boat", "gull")})
        blind = tagged("blind", "a boat", minute=2).model_copy(update={"degraded": ("image_model",)})
        await write(index, boat, blind)
        assert await found(index, 'label:"Fishing Boat"') == await found(index, "label:GULL") == ["boat"]
        assert await found(index, "has:label") == await found(index, "-degraded:image_model") == ["boat"]
        assert await found(index, "degraded:image_model") == ["blind"]
        assert await found(index, "label:boat") == await found(index, "label:fish*") == ["boat"]
        assert await found(index, 'label:"boat"') == await found(index, "degraded:photo") == []

    async def test_8o_operators_and_signs(self, index: EntityIndex) -> None:
        await write(index, tagged("a", "red green", minute=1), tagged("b", "red", minute=2), tagged("c", "blue"))
        assert await found(index, "red AND green") == await found(index, "green && red") == ["a"]
        assert await found(index, "red NOT green") == await found(index, "red AND NOT green") == ["b"]
        assert await found(index, "NOT red") == await found(index, "blue || yellow") == ["c"]
        for text in ("(", "red)", "re*d", "*ed", "red AND blue OR green", "source:re*", "red --json", "fooo:red"):
            with pytest.raises(MalformedQuery, match="character"):
                await index.search(Query(text))

    async def test_8p_an_author_in_every_form(self, index: EntityIndex) -> None:
        server = "mastodon:social.example"
        await write(
            index,
            tagged("local", source=server, author="17", handle="Bo", minute=2),
            tagged("remote", source=server, author="18", handle="bo@other.example", minute=1),
            tagged("sky", source="bluesky", author="did:plc:x", handle="bo.example"),
        )
        for form in ("@bo@social.example", "Bo@Social.Example", "https://social.example/@bo", "@bo", "bo", "17"):
            assert await found(index, f"author:{form}") == ["local"], form
        for form in ("@bo@other.example", "https://other.example/users/bo", "18"):
            assert await found(index, f"author:{form}") == ["remote"], form
        for form in ("@bo.example", "https://bsky.app/profile/bo.example", "did:plc:x"):
            assert await found(index, f"author:{form}") == ["sky"], form

    async def test_8q_every_language_of_a_post(self, index: EntityIndex) -> None:
        both = tagged("both", minute=1).model_copy(update={"lang": "pt-BR", "langs": ("pt-BR", "en-US")})
        await write(index, both, tagged("one", lang="en"))
        assert await found(index, "lang:en") == await found(index, "lang:English") == ["both", "one"]
        assert await found(index, "lang:pt") == await found(index, "lang:en-US") == ["both"]

    async def test_8r_links_and_listed_hashtags(self, index: EntityIndex) -> None:
        link = Link(url="https://news.example/fjord?x=1", title="Ferry sinks", description="All were saved")
        listed = SegmentedHashtag(text="NorthSea", words=("North", "Sea"))
        post = tagged("a", "look", hashtags=[listed]).model_copy(update={"links": (link,)})
        await write(index, post, tagged("b", "look"))
        for text in ("has:link", "ferry", '"all were saved"', "news.example", "fjord", "#northsea", '"north sea"'):
            assert await found(index, text) == ["a"], text
        assert await found(index, '"sinks all"') == await found(index, '"look ferry"') == []
        assert await index.get("jsonl:a") == post

    async def test_8s_a_name_by_a_word_of_it(self, index: EntityIndex) -> None:
        german, scientist = entity("Angela Merkel", "PER"), entity("Angela Müller", "PER")
        await write(index, tagged("a", minute=3, entities=[german]), tagged("b", minute=2, entities=[scientist]))
        await write(index, tagged("c", minute=1, entities=[entity("Merkel Straße", "LOC")]), tagged("d", "merkel"))
        for text in ("person:merkel", "person:MERKEL", "person:merk*", 'person:"angela merk*"', "person:Angela-Merkel"):
            assert await found(index, text) == ["a"], text
        assert await found(index, "person:angela") == await found(index, "person:ang*") == ["a", "b"]
        assert await found(index, "entity:merkel") == ["a", "c"]
        assert await found(index, "person:muller") == await found(index, 'person:"Angela Müller"') == ["b"]
        for text in ('person:"merkel"', "person:merkel-angela", "person:erkel", "organisation:merkel"):
            assert await found(index, text) == [], text
        both = [entity("Jean Dupont", "PER"), entity("Luc Besson", "PER")]
        await write(index, tagged("e", entities=both), tagged("f", entities=[entity("安倍晋三", "PER")]))
        assert await found(index, "person:jean person:luc") == ["e"]
        assert await found(index, "person:jean-luc") == []
        assert await found(index, "person:安倍") == await found(index, "person:晋三") == ["f"]

    async def test_8t_parts_in_parentheses(self, index: EntityIndex) -> None:
        await write(index, tagged("a", "red green", minute=3), tagged("b", "red", minute=2), tagged("c", "blue"))
        assert await found(index, "(red AND green) OR blue") == await found(index, "(green OR blue)") == ["a", "c"]
        assert await found(index, "red -(green blue)") == ["a", "b"]
        assert await found(index, "red -(green OR blue)") == ["b"]
        assert await found(index, "NOT red OR green") == await found(index, "NOT (red -green)") == ["a", "c"]
        assert await found(index, "-(red OR blue)") == []
        deep = "(" * 8 + "red" + ")" * 8
        assert await found(index, deep, order="relevance") == ["b", "a"]

    async def test_8u_the_beginning_of_a_hashtag(self, index: EntityIndex) -> None:
        tag = SegmentedHashtag(text="NewYorkCity", start=0, end=12, words=("New", "York", "City"))
        await write(index, tagged("a", "#NewYorkCity", hashtags=[tag]), tagged("b", "newyorkcity"))
        assert await found(index, "#newyork*") == await found(index, "hashtag:NEW*") == ["a"]
        assert await found(index, "#york*") == await found(index, "#newyork") == []

    async def test_8v_every_query_finds_what_a_plain_reading_of_each_post_finds(self, index: EntityIndex) -> None:
        chance = random.Random(8)
        posts = random_posts(chance, 100)
        await write(index, *posts)
        answers = 0
        for _ in range(150):
            text = random_query(chance, len(posts))
            wanted = [str(at) for at, post in enumerate(posts) if holds(parse(text), post)]
            assert await found(index, text) == wanted[::-1], text
            answers += 0 < len(wanted) < len(posts)
        assert answers > 75

    async def test_9a_pages_neither_skip_nor_repeat_while_posts_arrive(self, index: EntityIndex) -> None:
        await write(index, *(tagged(str(number), "word", minute=number // 3) for number in range(50)))
        seen: list[str] = []
        after: str | None = None
        for arrival in range(100):
            page = await index.search(Query("word", size=7, after=after))
            seen += names_of(page.posts)
            await write(index, tagged(f"new {arrival}", "word", minute=100 + arrival))
            after = page.next
            if after is None:
                break
        assert len(seen) == len(set(seen))
        assert set(seen) == set(map(str, range(50)))
        assert [int(name) // 3 for name in seen] == sorted((number // 3 for number in range(50)), reverse=True)

    async def test_9b_pages_by_relevance_hold_every_post_once(self, index: EntityIndex) -> None:
        posts = [tagged(str(number), "merkel " + "filler " * (number % 9), minute=number) for number in range(40)]
        await write(index, *posts, *(tagged(f"x{number}") for number in range(40)))
        whole = await found(index, "merkel", order="relevance")
        seen, after = [], None
        while True:
            page = await index.search(Query("merkel", order="relevance", size=7, after=after))
            seen += names_of(page.posts)
            if (after := page.next) is None:
                break
        assert seen == whole
        assert set(seen) == set(map(str, range(40)))

    async def test_9c_a_page_goes_on_after_its_last_post_was_deleted(self, index: EntityIndex) -> None:
        await write(index, *(tagged(str(number), "word", minute=number) for number in range(6)))
        for order in ("newest", "relevance"):
            first = await index.search(Query("word", size=2, order=order))
            await write(index, Deletion(id=first.posts[-1].id, source="jsonl"))
            second = await index.search(Query("word", size=9, order=order, after=first.next))
            assert not {post.id for post in first.posts} & {post.id for post in second.posts}
            assert len(second.posts) == second.total - 1
            assert second.next is None

    async def test_9d_an_odd_page_is_refused(self, index: EntityIndex) -> None:
        for after in ("", "x", "newest.", "newest.-1", "newest.1e9", "relevance.1", "newest." + "9" * 5000, "\ud800"):
            with pytest.raises(MalformedQuery, match="next"):
                await index.search(Query(after=after))
        for size in (0, -1, 1_000_000):
            with pytest.raises(BadSettings, match="page"):
                await index.search(Query(size=size))

    async def test_12a_documents_come_in_order_of_id_by_code_point(self, index: EntityIndex) -> None:
        names = ["b", "B", "a10", "a9", "é", "z", "\uffee", "\U0001f600", "a"]
        await write(index, *map(tagged, names))
        await write(index, *(tagged(f"n{number:04}") for number in range(600)))
        ids = [post.id for post in await stored(index)]
        assert ids == sorted(ids)
        assert len(ids) == 609

    async def test_12b_posts_may_be_written_while_all_are_read(self, index: EntityIndex) -> None:
        await write(index, *(tagged(f"{number:04}") for number in range(700)))
        seen = []
        async for post in index.documents():
            seen.append(post.id)
            if len(seen) % 100 == 0:
                await write(index, tagged(f"0000 {len(seen)}"), tagged(f"{len(seen):04}", revision=1))
        assert len(seen) == len(set(seen))
        assert {f"jsonl:{number:04}" for number in range(700)} <= set(seen)

    async def test_13a_searches_see_whole_batches_while_writes_go_on(self, index: EntityIndex) -> None:
        await write(index, tagged("start", "pair"))

        async def write_pairs() -> None:
            for number in range(60):
                await write(index, *(tagged(f"{number} {half}", "pair", names=["Paris"]) for half in range(4)))

        writing = asyncio.create_task(write_pairs())
        totals = []
        while not writing.done():
            totals.append((await index.search(Query("pair", size=1))).total)
        await writing
        assert totals == sorted(totals)
        assert (await index.search(Query("pair", size=1))).total == 241
        if self.whole_batches:
            assert {total % 4 for total in totals} == {1}
        assert len(set(totals)) > 2
