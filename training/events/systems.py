"""The systems that are measured, by name: the detector of `search/events` and the three baselines."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from elasticsearch import Elasticsearch

from tagstream.errors import BadSettings
from training.events.baselines.chain import chain
from training.events.baselines.first_story import first_stories, neighbours
from training.events.baselines.significant_terms import index_posts, term_bursts
from training.events.baselines.word_scores import word_bursts
from training.events.baselines.words import worded_posts
from training.events.detector import found_events, replay
from training.events.feed import SOURCE, Feed
from training.events.score import FoundEvent
from training.events.tagging import TaggedTexts
from training.events.tuning import Parameters

DETECTOR = "tagstream"
TITLES: Mapping[str, str] = {
    DETECTOR: "tagstream",
    "first_story": "TF-IDF and LSH, first-story detection",
    "word_scores": "z-scores of words",
    "significant_terms": "Elasticsearch `significant_terms`",
}


@dataclass(frozen=True, slots=True)
class Means:
    """The needs of the systems: tagged texts, the chosen parameters, a server; None where there is none."""

    tagged: TaggedTexts | None
    parameters: Parameters
    client: Elasticsearch | None


def detect(system: str, feed: Feed, means: Means) -> list[FoundEvent]:
    """Returns the events that a system says of a feed.

    Raises:
        BadSettings: something that the system needs is missing.
    """
    return _SYSTEMS[system](feed, means)


def _tagstream(feed: Feed, means: Means) -> list[FoundEvent]:
    if means.tagged is None:
        raise BadSettings(f"{DETECTOR} needs the tagged texts of a feed, and there are none")
    texts = {f"{SOURCE}:{post.id}": post.text for post in feed.posts}
    return found_events(replay(means.tagged.tagged(feed)), texts)


def _first_story(feed: Feed, means: Means) -> list[FoundEvent]:
    if means.parameters.first_story is None:
        raise BadSettings(_unchosen("first_story"))
    posts = worded_posts(feed.posts)
    return first_stories(posts, neighbours(posts), means.parameters.first_story)


def _word_scores(feed: Feed, means: Means) -> list[FoundEvent]:
    if means.parameters.word_scores is None:
        raise BadSettings(_unchosen("word_scores"))
    way, joining = means.parameters.word_scores
    return chain(word_bursts(worded_posts(feed.posts), way), joining)


def _significant_terms(feed: Feed, means: Means) -> list[FoundEvent]:
    if means.parameters.significant_terms is None:
        raise BadSettings(_unchosen("significant_terms"))
    if means.client is None:
        raise BadSettings("significant_terms needs a server: --elasticsearch URL (make stack-up starts one)")
    way, joining = means.parameters.significant_terms
    posts = worded_posts(feed.posts)
    index_posts(means.client, posts)
    return chain(term_bursts(means.client, posts, way), joining)


def _unchosen(system: str) -> str:
    return f"{system} has no parameters yet: python -m training.events.measure tune --systems {system}"


_SYSTEMS: Mapping[str, Callable[[Feed, Means], list[FoundEvent]]] = {
    DETECTOR: _tagstream,
    "first_story": _first_story,
    "word_scores": _word_scores,
    "significant_terms": _significant_terms,
}
