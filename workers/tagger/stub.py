"""A tagger without a model, which finds a short fixed list of names and says "stub" in every answer.

The stub serves to try the pipeline, to test it, and to measure the cost of everything but the model (`--models stub:`),
or how workers share the work of a model that is slow elsewhere (`--models stub:?latency_ms=200`).
"""

import re
import time
from collections.abc import Sequence

import regex

from tagstream.errors import BadSettings
from tagstream.posts import Entity, EntityType, Post, SegmentedHashtag, TaggedPost
from tagstream.text.entity_keys import fold_key
from workers.tagger.interface import NO_IMAGE_CONTEXT, ImageContext, PreparedPost, answer_generation
from workers.tagger.model_tagger import reads

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


def open_stub(specification: str, languages: frozenset[str]) -> "StubTagger":
    """Opens the tagger of `stub:` or `stub:?latency_ms=N`.

    Raises:
        BadSettings: the specification has another form.
    """
    parts = re.fullmatch(r"stub:(?:\?latency_ms=([0-9]{1,6}))?", specification)
    if parts is None:
        raise BadSettings(f"--models {specification}: neither stub: nor stub:?latency_ms=N")
    return StubTagger(languages, int(parts[1] or 0) / 1000)


class StubTagger:
    """A `Tagger` that finds `NAMES` in exactly that spelling; a hashtag stays one word.

    Every batch takes `latency_seconds`, in which the processor is free, as if the model ran on another machine.
    """

    model = "stub@1"
    generation = 1

    def __init__(self, languages: frozenset[str] = frozenset({"en", "und"}), latency_seconds: float = 0.0) -> None:
        self._languages = languages
        self._latency_seconds = latency_seconds

    def prepare(self, posts: Sequence[Post], contexts: Sequence[ImageContext] | None = None) -> list[PreparedPost]:
        """Returns each post with one sequence of a fixed length, so that batches form as with a model."""
        contexts = [NO_IMAGE_CONTEXT] * len(posts) if contexts is None else contexts
        sizes = [(32, 1) if reads(post, self._languages) else (0, 0) for post in posts]
        return [
            PreparedPost(post, *size, image_context=image_context)
            for post, size, image_context in zip(posts, sizes, contexts, strict=True)
        ]

    def tag(self, prepared: Sequence[PreparedPost]) -> list[TaggedPost]:
        """Returns the tagged posts, in order."""
        time.sleep(self._latency_seconds)
        return [self._tag(post.post, post.image_context, tagged=post.sequences > 0) for post in prepared]

    def _tag(self, post: Post, image_context: ImageContext, *, tagged: bool) -> TaggedPost:
        return TaggedPost(
            id=post.id,
            source=post.source,
            author=post.author,
            created_at=post.created_at,
            revision=post.revision,
            text=post.text,
            lang=post.lang,
            langs=post.langs,
            url=post.url,
            links=post.links,
            media=tuple(media.without_bytes() for media in post.media),
            reply_to=post.reply_to,
            hashtags=tuple(
                SegmentedHashtag(text=hashtag.text, start=hashtag.start, end=hashtag.end, words=(hashtag.text,))
                for hashtag in post.hashtags
            ),
            entities=_find(post) if tagged else (),
            image_labels=image_context.labels,
            model=self.model,
            generation=answer_generation(self.generation, image_context),
            degraded=image_context.degraded,
            untagged=None if tagged else "language",
        )


def _find(post: Post) -> tuple[Entity, ...]:
    placed = [hashtag.span for hashtag in post.hashtags if hashtag.span is not None]
    return tuple(
        Entity(
            text=match.group(),
            type=NAMES[match.group()],
            start=match.start(),
            end=match.end(),
            score=1.0,
            in_hashtag=any(start <= match.start() and match.end() <= end for start, end in placed),
            key=fold_key(match.group()),
        )
        for match in _PATTERN.finditer(post.text)
    )
