"""Names in hashtags: of names that are found as plain words, the share that is found when a hashtag holds them.

`python -m training.tagger.hashtag_names` takes persons, places and organisations of one to three words from the
development sets, each once, where the tagger finds it as it stands, and writes it as a hashtag in the ways of
`named_posts.py`; found is the same type over the words of the name and no others. It also counts entities in hashtags
that hold no name, in posts without any and after the posts of the development sets.
"""

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tagstream.posts import EntityType, TaggedPost
from training.datasets import CORPORA
from training.script import run_script
from training.tagger.measuring import development_posts, keep_figures, parse_version, served_tagger, version_arguments
from training.tagger.model_card import write_card
from training.tagger.named_posts import TYPES, WAYS, NamedPost, Written, names_to_write
from training.tagger.nameless import nameless_hashtags, nameless_posts
from training.tagger.perturbations import tokens_of
from workers.models.repository import TAGGER
from workers.tagger.conll import ConllPost, joined_post
from workers.tagger.evaluation import answered_spans, tag_conll
from workers.tagger.interface import Tagger

_ONE, _SEVERAL = "one word", "two or three words"
_AFTER_A_POST = 3


def found_as_plain_words(names: Sequence[NamedPost], tagger: Tagger) -> list[NamedPost]:
    """Returns the names that the tagger finds as they stand."""
    answers = tag_conll([name.post for name in names], tagger)
    return [
        name
        for name, answer in zip(names, answers, strict=True)
        if (name.start, name.end, name.kind) in answered_spans(name.post, answer)
    ]


def is_found(answer: TaggedPost, written: Written, kind: EntityType) -> bool:
    """Tells whether an entity of the type stands exactly where the name does."""
    return any(
        (entity.start, entity.end, entity.type) == (written.start, written.end, kind) for entity in answer.entities
    )


def score_names(tagger: Tagger) -> dict[str, Any]:
    """Returns the numbers of names, and the share found in each way of writing: of all, by type and by words."""
    every = names_to_write()
    names = found_as_plain_words(every, tagger)
    groups: list[tuple[str, ...]] = [("all", name.kind, _ONE if len(name.words) == 1 else _SEVERAL) for name in names]
    counted = Counter(group for of_name in groups for group in of_name)
    totals = {group: counted[group] for group in ("all", *TYPES, _ONE, _SEVERAL) if counted[group]}
    shares = {}
    for way, write in WAYS.items():
        written = [write(names, place) for place in range(len(names))]
        answers = tag_conll([one.post for one in written], tagger)
        found = Counter(
            group
            for name, one, answer, of_name in zip(names, written, answers, groups, strict=True)
            if is_found(answer, one, name.kind)
            for group in of_name
        )
        shares[way] = {group: found[group] / total for group, total in totals.items()}
    return {"names": len(every), "found": totals, "shares": shares}


def score_nameless(tagger: Tagger) -> dict[str, float]:
    """Returns how many hashtags without a name were tried, and the entities that touch one, in 1,000 of them.

    `after_posts_per_1000` is of the same hashtags after posts of the development sets, three after each.
    """
    hashtags = nameless_hashtags()
    alone = [joined_post([(word, "O") for word in text.split()]) for text in nameless_posts(hashtags)]
    after = after_posts(hashtags)
    return {
        "hashtags": len(hashtags),
        "false_entities_per_1000": 1000 * _false(alone, [[one] for one in hashtags], tagger) / len(hashtags),
        "after_posts_per_1000": 1000 * _false(*after, tagger) / len(hashtags),
    }


def after_posts(hashtags: Sequence[str]) -> tuple[list[ConllPost], list[list[str]]]:
    """Returns posts of the development sets with three of the hashtags after each, and which these are."""
    shuffled = random.Random("hashtags").sample(hashtags, len(hashtags))
    groups = [shuffled[start : start + _AFTER_A_POST] for start in range(0, len(shuffled), _AFTER_A_POST)]
    every = [post for corpus in CORPORA for post in development_posts(corpus)]
    posts = [
        joined_post([*tokens_of(post), *((f"#{hashtag}", "O") for hashtag in group)])
        for post, group in zip(random.Random("posts").sample(every, len(groups)), groups, strict=True)
    ]
    return posts, groups


def _false(posts: Sequence[ConllPost], hashtags: Sequence[Sequence[str]], tagger: Tagger) -> int:
    """Returns the entities that touch the hashtags of each post, which stand last of their kind in it."""
    false = 0
    for post, group, answer in zip(posts, hashtags, tag_conll(posts, tagger), strict=True):
        signed = {f"#{hashtag}" for hashtag in group}
        places = [(start, end) for start, end, _ in post.tokens if post.text[start:end] in signed][-len(group) :]
        false += sum(
            any(entity.start < end and entity.end > start for start, end in places) for entity in answer.entities
        )
    return false


def hashtag_names(repository: Path, version: int, name: str = TAGGER) -> dict[str, Any]:
    """Measures a version, writes its figures and its card, and returns the figures."""
    tagger = served_tagger(repository, version, name=name)
    figures = {**score_names(tagger), "nameless": score_nameless(tagger)}
    keep_figures(repository, version, "hashtag_names", figures, name)
    write_card(repository, version, name)
    return figures


def main() -> None:
    """Runs the command line of this module."""
    arguments = parse_version(version_arguments("Measure how a model version finds names in hashtags."))
    figures = hashtag_names(arguments.repository, arguments.version, arguments.name)
    print(
        f"{figures['names']:,} names, found as plain words: {figures['found']['all']:,}; of these found in hashtags, %"
    )
    groups = list(figures["found"])
    print(f"{'':48}" + "".join(f"{group:>20}" for group in groups))
    for way, shares in figures["shares"].items():
        print(f"{way:48}" + "".join(f"{100 * shares[group]:20.1f}" for group in groups))
    nameless = figures["nameless"]
    print(
        f"entities in 1,000 hashtags without a name ({nameless['hashtags']}): "
        f"{nameless['false_entities_per_1000']:.1f} in posts without one, "
        f"{nameless['after_posts_per_1000']:.1f} after the posts of the development sets"
    )


if __name__ == "__main__":
    run_script(main)
