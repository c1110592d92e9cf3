"""Scores of a tagger against gold names: strict and lenient, overall and by type, and on posts without a name."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tagstream.posts import ENTITY_TYPES, EntityType, Post, TaggedPost
from tagstream.text.hashtags import hashtags_of
from workers.tagger.conll import ConllPost, Span, gold_spans, read_conll
from workers.tagger.interface import PreparedPost, Tagger

_POSTS_A_BATCH = 32
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Tally:
    """Counts of names: right ones, given ones, and those of the gold."""

    right: int = 0
    given: int = 0
    gold: int = 0

    def figures(self) -> dict[str, float]:
        """Returns precision, recall and F1 as fractions of 1; 0 where a denominator is 0."""
        precision = self.right / self.given if self.given else 0.0
        recall = self.right / self.gold if self.gold else 0.0
        f1 = 2 * self.right / (self.given + self.gold) if self.given + self.gold else 0.0
        return {"precision": precision, "recall": recall, "f1": f1}


def score_conll(path: Path, tagger: Tagger, types: Sequence[EntityType] = ENTITY_TYPES) -> dict[str, Any]:
    """Tags the posts of a BIO file from their raw text and scores the answers; only `types` count.

    Raises:
        UnreadableInput: the file cannot be read as a BIO file.
    """
    posts = read_conll(path)
    started = time.perf_counter()
    answers = tag_conll(posts, tagger)
    seconds = time.perf_counter() - started
    return {
        "posts": len(posts),
        "posts_per_second": len(posts) / seconds if posts else 0.0,
        **score_answers(posts, answers, types),
    }


def score_answers(
    posts: Sequence[ConllPost], answers: Sequence[TaggedPost], types: Sequence[EntityType]
) -> dict[str, Any]:
    """Returns strict and lenient figures, and what was given in posts without a name; only `types` count."""
    return {
        "strict": count(posts, answers, types, lenient=False),
        "lenient": count(posts, answers, types, lenient=True),
        "entity_free": fires_on_nothing(posts, answers, types),
    }


def tag_conll(posts: Sequence[ConllPost], tagger: Tagger) -> list[TaggedPost]:
    """Tags the joined text of each post; returns the answers in order."""
    prepared = tagger.prepare([as_post(post, index) for index, post in enumerate(posts)])
    return tag_by_length(prepared, tagger.tag)


def tag_by_length(
    prepared: Sequence[PreparedPost], tag: Callable[[Sequence[PreparedPost]], list[TaggedPost]]
) -> list[TaggedPost]:
    """Tags in batches of similar length; returns the answers in order."""
    order = sorted(range(len(prepared)), key=lambda index: prepared[index].length)
    answers: dict[int, TaggedPost] = {}
    for start in range(0, len(order), _POSTS_A_BATCH):
        batch = order[start : start + _POSTS_A_BATCH]
        answers.update(zip(batch, tag([prepared[index] for index in batch]), strict=True))
    return [answers[index] for index in range(len(prepared))]


def as_post(post: ConllPost, index: int) -> Post:
    """Returns a `Post` of that text without date, photo and language, because a BIO file has none."""
    return Post.model_construct(
        id=f"conll:{index}", source="conll", created_at=_ANY_TIME, text=post.text, hashtags=hashtags_of(post.text)
    )


def answered_spans(post: ConllPost, answer: TaggedPost) -> set[Span]:
    """Returns the entities of an answer as spans of the gold's tokens: an entity takes each token that it touches."""
    spans: set[Span] = set()
    for entity in answer.entities:
        touched = [i for i, (start, end, _) in enumerate(post.tokens) if start < entity.end and end > entity.start]
        if touched:
            spans.add((touched[0], touched[-1] + 1, entity.type))
    return spans


def count(
    posts: Sequence[ConllPost], answers: Sequence[TaggedPost], types: Sequence[EntityType], *, lenient: bool
) -> dict[str, Any]:
    """Returns precision, recall and F1 over all posts, and those of each type under `types`."""
    tallies = {name: Tally() for name in types}
    for post, answer in zip(posts, answers, strict=True):
        gold = gold_spans(post, lenient=lenient)
        given = answered_spans(post, answer)
        for name, tally in tallies.items():
            gold_of_type = {span for span in gold if span[2] == name}
            given_of_type = {span for span in given if span[2] == name}
            tally.right += len(gold_of_type & given_of_type)
            tally.given += len(given_of_type)
            tally.gold += len(gold_of_type)
    total = Tally(
        sum(tally.right for tally in tallies.values()),
        sum(tally.given for tally in tallies.values()),
        sum(tally.gold for tally in tallies.values()),
    )
    return {**total.figures(), "types": {name: tally.figures() for name, tally in tallies.items()}}


def fires_on_nothing(
    posts: Sequence[ConllPost], answers: Sequence[TaggedPost], types: Sequence[EntityType]
) -> dict[str, float]:
    """Returns the false entities per 1,000 posts in which the gold has no name at all."""
    free = [
        answered_spans(post, answer)
        for post, answer in zip(posts, answers, strict=True)
        if not gold_spans(post, lenient=True)
    ]
    false = sum(1 for spans in free for span in spans if span[2] in types)
    return {"posts": len(free), "false_entities_per_1000": 1000 * false / len(free) if free else 0.0}
