"""Words that burst, joined into events: what turns word scores of either baseline into something with a life.

::

    bursts of a step ─▶ words of the same posts joined (connected components) ─▶ matched with live events by their words

An event ends when none of its words has burst for an hour. A component that matches several events joins the oldest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import combinations

import networkx

from training.events.baselines.evidence import evidence, without_copies
from training.events.baselines.words import WordedPost
from training.events.score import FoundEvent

_ENDS_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class WordBurst:
    """A word that more authors use at `minute` than its past explains, with the posts of the window that hold it."""

    word: str
    minute: datetime
    score: float
    authors: int
    posts: tuple[WordedPost, ...]


@dataclass(frozen=True, slots=True)
class ChainParameters:
    """The conditions under which bursts are an event.

    Attributes:
        min_score, min_authors: of a word that counts.
        min_words: words that must burst together.
        join: the share of the posts of the rarer of two words that must hold both, for the two to be joined.
    """

    min_score: float
    min_authors: int
    min_words: int = 1
    join: float = 0.5


@dataclass(slots=True)
class _LiveEvent:
    id: str
    detected_at: datetime
    last_burst: datetime
    words: dict[str, int] = field(default_factory=dict)
    posts: dict[str, WordedPost] = field(default_factory=dict)

    def grow(self, bursts: Sequence[WordBurst]) -> None:
        """Takes the bursts of a step: the posts that hold two of its words, or any where only one bursts."""
        held: dict[str, int] = {}
        for burst in bursts:
            self.words[burst.word] = self.words.get(burst.word, 0) + 1
            for post in burst.posts:
                held[post.id] = held.get(post.id, 0) + 1
        enough = min(2, len(bursts))
        for burst in bursts:
            self.posts.update((post.id, post) for post in burst.posts if held[post.id] >= enough)
        self.last_burst = bursts[0].minute

    def found(self) -> FoundEvent:
        posts = sorted(self.posts.values(), key=lambda post: post.created_at)
        title = " ".join(sorted(self.words, key=lambda word: -self.words[word])[:5])
        authors = len({post.author for post in posts})
        started_at = posts[0].created_at
        return FoundEvent(self.id, title, self.detected_at, started_at, self.last_burst, authors, evidence(posts))


def chain(steps: Iterable[Sequence[WordBurst]], parameters: ChainParameters) -> list[FoundEvent]:
    """Returns the events of the bursts of successive steps."""
    live: list[_LiveEvent] = []
    ended: list[_LiveEvent] = []
    for bursts in steps:
        strong = [
            burst for burst in bursts if burst.score >= parameters.min_score and burst.authors >= parameters.min_authors
        ]
        if not strong:
            continue
        now = strong[0].minute
        ended += (event for event in live if now - event.last_burst > _ENDS_AFTER)
        live = [event for event in live if now - event.last_burst <= _ENDS_AFTER]
        for together in _joined(strong, parameters.join):
            if len(together) >= parameters.min_words:
                _match(together, live, len(live) + len(ended))
    return [event.found() for event in [*ended, *live]]


def _match(bursts: Sequence[WordBurst], live: list[_LiveEvent], number: int) -> None:
    """Gives the bursts to the live event that shares most of their words, or makes a new one."""
    shared = [(sum(burst.word in event.words for burst in bursts), event) for event in live]
    most, best = max(shared, key=lambda pair: pair[0], default=(0, None))
    if best is None or most == 0:
        best = _LiveEvent(f"e{number}", bursts[0].minute, bursts[0].minute)
        live.append(best)
    best.grow(bursts)


def _joined(bursts: Sequence[WordBurst], join: float) -> list[list[WordBurst]]:
    """Groups the words that the same posts hold; copies count once."""
    graph: networkx.Graph[int] = networkx.Graph()
    graph.add_nodes_from(range(len(bursts)))
    held = [{post.id for post in without_copies(burst.posts)} for burst in bursts]
    for first, second in combinations(range(len(bursts)), 2):
        fewest = min(len(held[first]), len(held[second]))
        if fewest and len(held[first] & held[second]) >= join * fewest:
            graph.add_edge(first, second)
    return [[bursts[number] for number in sorted(group)] for group in networkx.connected_components(graph)]
