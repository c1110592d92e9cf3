"""Scenario 19: what the posts of a query have in common, and other spellings.

Numbers as in docs/reference/index-contract.md.
"""

import random
from collections import Counter

import pytest

from search.index import EntityIndex, Facets, Query
from search.query import parse
from search.terms import facets_of
from search.testing.evaluation import holds, random_posts
from search.testing.posts import entity, tagged, write
from tagstream.errors import BadSettings
from tagstream.posts import AccountStatus, Deletion, SegmentedHashtag


def _counts(facets: Facets, kind: str) -> list[tuple[str, int]]:
    return [(one.value, one.posts) for one in facets.values.get(kind, ())]  # type: ignore[call-overload]


class FacetingContract:
    """The promises of every index about facets and spellings."""

    async def test_19a_names_types_sources_languages_and_hashtags_of_a_whole_result(self, index: EntityIndex) -> None:
        tag = SegmentedHashtag(text="Storm", words=("Storm",))
        many = [tagged(str(at), "storm", minute=at, names=["Merkel"], hashtags=[tag], lang="en") for at in range(30)]
        other = tagged("x", "storm", names=["Berlin", "Berlin"], source="mastodon:a.example", lang="en-US")
        await write(index, *many, other, tagged("y", "calm", names=["Obama"]), tagged("z", "storm"))
        found = await index.facets(Query("storm", size=1))
        assert (found.total, found.counted) == (32, 32)
        assert _counts(found, "person") == [("merkel", 30)]
        assert _counts(found, "place") == [("berlin", 1)]
        assert _counts(found, "type") == [("PER", 30), ("LOC", 1)]
        assert _counts(found, "source") == [("jsonl", 31), ("mastodon:a.example", 1)]
        assert _counts(found, "language") == [("en", 30), ("en-US", 1), ("und", 1)]
        assert _counts(found, "hashtag") == [("storm", 30)]
        assert [one.text for kind in ("person", "hashtag") for one in found.values[kind]] == ["Merkel", "#storm"]
        assert _counts(await index.facets(Query("storm place:berlin"), size=1), "person") == []

    async def test_19b_the_most_come_first_and_of_equal_ones_the_lower(self, index: EntityIndex) -> None:
        posts = [tagged(str(at), names=[f"Town {at % 5}"], minute=at) for at in range(13)]
        await write(index, *posts)
        found = await index.facets(Query(), size=4)
        assert _counts(found, "place") == [("town 0", 3), ("town 1", 3), ("town 2", 3), ("town 3", 2)]
        for size in (0, 101):
            with pytest.raises(BadSettings, match="values"):
                await index.facets(Query(), size=size)
        with pytest.raises(BadSettings):
            await index.facets(Query("("))

    async def test_19c_nothing_unseen_is_counted(self, index: EntityIndex) -> None:
        tag = SegmentedHashtag(text="Secret", words=("Secret",))
        await write(index, *(tagged(name, author=name, names=["Merkel"], hashtags=[tag]) for name in ("a", "b", "c")))
        await write(index, Deletion(id="jsonl:a", source="jsonl"))
        await write(index, AccountStatus(source="jsonl", author="b", position=1, hidden=True))
        found = await index.facets(Query())
        assert (found.total, _counts(found, "person"), _counts(found, "hashtag")) == (
            1,
            [("merkel", 1)],
            [("secret", 1)],
        )
        await write(index, AccountStatus(source="jsonl", author="b", position=2, hidden=False))
        assert _counts(await index.facets(Query()), "hashtag") == [("secret", 2)]
        await write(index, *(Deletion(id=f"jsonl:{name}", source="jsonl") for name in ("b", "c")))
        assert (await index.facets(Query())) == Facets({}, 0, 0)

    async def test_19d_they_agree_with_a_count_post_by_post(self, index: EntityIndex) -> None:
        posts = random_posts(random.Random(4), 80)
        await write(index, *posts)
        for text in ("", "red OR green", "person:merkel", "-has:hashtag", "lang:en (blue OR type:PER)"):
            wanted: Counter[tuple[str, str]] = Counter()
            for post in posts:
                if holds(parse(text), post):
                    wanted.update(facets_of(post))
                    wanted.update({("type", one.type) for one in post.entities})
            found = await index.facets(Query(text), size=100)
            for kind in ("source", "language", "hashtag", "type"):
                assert dict(_counts(found, kind)) == {value: n for (one, value), n in wanted.items() if one == kind}

    async def test_19e_other_spellings_of_a_word(self, index: EntityIndex) -> None:
        await write(index, tagged("a", "merkel merkel"), tagged("b", "Merkel und Macron"), tagged("c", "merkels"))
        await write(index, tagged("d", entities=[entity("Markel", "PER")], text="Markel"))
        assert (await index.spellings("merkle"))[:1] == ["merkel"]
        assert set(await index.spellings("merkel")) == {"markel", "merkels"}
        assert await index.spellings("macrno") == ["macron"]
        assert await index.spellings("berlin") == []
