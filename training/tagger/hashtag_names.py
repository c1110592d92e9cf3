"""Names in hashtags: of names that are found as plain words, the share that is found when a hashtag holds them.

`python -m training.tagger.hashtag_names --version 1` takes persons, places and organisations of one to three words from
the development sets, each once, where the tagger finds it as it stands. It writes the name in the same sentence as a
hashtag, alone and joined with words of topics; found is the same type over the words of the name and no others. It also
counts entities in hashtags that hold no name.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tagstream.posts import EntityType, TaggedPost
from training.datasets import CORPORA
from training.tagger.measuring import development_posts, keep_figures, served_tagger, version_arguments
from training.tagger.model_card import write_card
from training.tagger.nameless import nameless_hashtags, nameless_posts
from training.tagger.perturbations import camel, names_of, tokens_of
from workers.models.repository import TAGGER
from workers.tagger.conll import SPELLINGS, ConllPost, joined_post
from workers.tagger.evaluation import answered_spans, tag_conll
from workers.tagger.interface import Tagger

TYPES: tuple[EntityType, ...] = ("PER", "LOC", "ORG")
MAX_WORDS = 3
_ONE, _SEVERAL = "one word", "two or three words"
# The words of hashtags about a name, which stands at the `*`; taken in turn.
TOPICS: Mapping[EntityType, Sequence[str]] = {
    "PER": ("vote *", "* fans", "happy birthday *", "* live tonight", "thank you *"),
    "LOC": ("pray for *", "* news", "visit *", "* strong", "made in *"),
    "ORG": ("boycott *", "* news", "go *", "* jobs", "support *"),
}


@dataclass(frozen=True, slots=True)
class NamedPost:
    """A post and one of its names: the tokens `start` to `end`."""

    post: ConllPost
    start: int
    end: int
    kind: EntityType

    @property
    def words(self) -> list[str]:
        """The words of the name."""
        return [word for word, _ in tokens_of(self.post)[self.start : self.end]]


@dataclass(frozen=True, slots=True)
class Written:
    """The post with its name in a hashtag, and where in the text the name then stands."""

    post: ConllPost
    start: int
    end: int


def names_to_write() -> list[NamedPost]:
    """Returns each person, place and organisation of the development sets once, with the first post that has it."""
    found: dict[tuple[str, EntityType], NamedPost] = {}
    for corpus in CORPORA:
        for post in development_posts(corpus):
            tokens = tokens_of(post)
            for start, end in names_of(tokens):
                kind = SPELLINGS[tokens[start][1][2:].lower()]
                words = [word for word, _ in tokens[start:end]]
                is_plain = all(word.isascii() and word.isalpha() for word in words) and len("".join(words)) > 1
                after_sign = start > 0 and tokens[start - 1][0][-1] in "#@"
                if kind in TYPES and len(words) <= MAX_WORDS and is_plain and not after_sign:
                    found.setdefault((" ".join(words).lower(), kind), NamedPost(post, start, end, kind))
    return list(found.values())


def found_as_plain_words(names: Sequence[NamedPost], tagger: Tagger) -> list[NamedPost]:
    """Returns the names that the tagger finds as they stand."""
    answers = tag_conll([name.post for name in names], tagger)
    return [
        name
        for name, answer in zip(names, answers, strict=True)
        if (name.start, name.end, name.kind) in answered_spans(name.post, answer)
    ]


def write_as_hashtag(name: NamedPost, before: Sequence[str], after: Sequence[str], *, capitals: bool) -> Written:
    """Returns the post with the name as a hashtag, between the words before and after it."""
    join: Callable[[Sequence[str]], str] = camel if capitals else lambda words: "".join(words).lower()
    head, middle, tail = join(before), join(name.words), join(after)
    tokens = tokens_of(name.post)
    tokens[name.start : name.end] = [(f"#{head}{middle}{tail}", f"B-{name.kind}")]
    post = joined_post(tokens)
    start = post.tokens[name.start][0] + 1 + len(head)
    return Written(post, start, start + len(middle))


def _alone(name: NamedPost, _: int, *, capitals: bool) -> Written:
    return write_as_hashtag(name, (), (), capitals=capitals)


def _joined(name: NamedPost, place: int, *, capitals: bool) -> Written:
    topics = TOPICS[name.kind]
    before, after = topics[place % len(topics)].split("*")
    return write_as_hashtag(name, before.split(), after.split(), capitals=capitals)


WAYS = {
    f"{kind}, {case}": partial(write, capitals=capitals)
    for case, capitals in (("CamelCase", True), ("lower case", False))
    for kind, write in (("alone", _alone), ("joined with other words", _joined))
}


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
        written = [write(name, place) for place, name in enumerate(names)]
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
    """Returns the entities that touch a hashtag without a name, in 1,000 of them, and how many were tried."""
    hashtags = nameless_hashtags()
    posts = [joined_post([(word, "O") for word in text.split()]) for text in nameless_posts(hashtags)]
    false = 0
    for post, hashtag, answer in zip(posts, hashtags, tag_conll(posts, tagger), strict=True):
        start = post.text.index(f"#{hashtag}")
        false += sum(entity.start < start + 1 + len(hashtag) and entity.end > start for entity in answer.entities)
    return {"hashtags": len(hashtags), "false_entities_per_1000": 1000 * false / len(hashtags)}


def hashtag_names(repository: Path, version: int, name: str = TAGGER) -> dict[str, Any]:
    """Measures a version, writes its figures and its card, and returns the figures."""
    tagger = served_tagger(repository, version, name=name)
    figures = {**score_names(tagger), "nameless": score_nameless(tagger)}
    keep_figures(repository, version, "hashtag_names", figures, name)
    write_card(repository, version, name)
    return figures


def main() -> None:
    """Runs the command line of this module."""
    arguments = version_arguments("Measure how a model version finds names in hashtags.").parse_args()
    figures = hashtag_names(arguments.repository, arguments.version, arguments.name)
    print(
        f"{figures['names']:,} names, found as plain words: {figures['found']['all']:,}; of these found in hashtags, %"
    )
    groups = list(figures["found"])
    print(f"{'':36}" + "".join(f"{group:>20}" for group in groups))
    for way, shares in figures["shares"].items():
        print(f"{way:36}" + "".join(f"{100 * shares[group]:20.1f}" for group in groups))
    nameless = figures["nameless"]
    print(
        f"{nameless['false_entities_per_1000']:.1f} entities in 1,000 hashtags without a name ({nameless['hashtags']})"
    )


if __name__ == "__main__":
    main()
