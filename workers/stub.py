"""A tagger without a model: finds a short fixed list of names by regular expression, and says "stub" everywhere.

For trying the pipeline, for tests, and for measuring what everything but the model costs (`--models stub:`).
"""

from collections.abc import Sequence

import regex

from tagstream.posts import Entity, EntityType, Post, SegmentedHashtag, TaggedPost, fold_key
from workers.tagger import PreparedPost
from workers.tagging import reads_language

NAMES: dict[str, EntityType] = {
    "Angela Merkel": "PER",
    "Barack Obama": "PER",
    "Beyoncé": "PER",
    "Lionel Messi": "PER",
    "Serena Williams": "PER",
    "Taylor Swift": "PER",
    "Berlin": "LOC",
    "Chicago": "LOC",
    "India": "LOC",
    "Lagos": "LOC",
    "London": "LOC",
    "New York": "LOC",
    "Paris": "LOC",
    "Tokyo": "LOC",
    "Apple": "ORG",
    "Google": "ORG",
    "NASA": "ORG",
    "Real Madrid": "ORG",
    "Reuters": "ORG",
    "United Nations": "ORG",
    "Champions League": "MISC",
    "iPhone": "MISC",
    "Olympics": "MISC",
    "Star Wars": "MISC",
}

_PATTERN = regex.compile(r"\b(?:" + "|".join(sorted(map(regex.escape, NAMES), key=len, reverse=True)) + r")\b")


class StubTagger:
    """A `Tagger` that finds `NAMES` as they are written there; hashtags stay one word each."""

    model = "stub@1"
    generation = 1

    def __init__(self, languages: frozenset[str] = frozenset({"en", "und"})) -> None:
        self._languages = languages

    def prepare(self, posts: Sequence[Post]) -> list[PreparedPost]:
        """Each post as it is; a row of a fixed length, so that batches form as they do with a model."""
        return [
            PreparedPost(post, 32, 1) if reads_language(post.lang, self._languages) else PreparedPost(post, 0, 0)
            for post in posts
        ]

    def tag(self, prepared: Sequence[PreparedPost]) -> list[TaggedPost]:
        """The tagged posts, in order."""
        return [self._tag(value.post, tagged=value.rows > 0) for value in prepared]

    def _tag(self, post: Post, *, tagged: bool) -> TaggedPost:
        return TaggedPost(
            id=post.id,
            source=post.source,
            author=post.author,
            created_at=post.created_at,
            revision=post.revision,
            text=post.text,
            lang=post.lang,
            url=post.url,
            media=tuple(media.without_bytes() for media in post.media),
            reply_to=post.reply_to,
            hashtags=tuple(
                SegmentedHashtag(text=hashtag.text, start=hashtag.start, end=hashtag.end, words=(hashtag.text,))
                for hashtag in post.hashtags
            ),
            entities=_find(post) if tagged else (),
            model=self.model,
            generation=self.generation,
            untagged=None if tagged else "language",
        )


def _find(post: Post) -> tuple[Entity, ...]:
    return tuple(
        Entity(
            text=match.group(),
            type=NAMES[match.group()],
            start=match.start(),
            end=match.end(),
            score=1.0,
            in_hashtag=any(tag.start <= match.start() and match.end() <= tag.end for tag in post.hashtags),
            key=fold_key(match.group()),
        )
        for match in _PATTERN.finditer(post.text)
    )
