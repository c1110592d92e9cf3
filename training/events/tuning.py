"""The parameters of the baselines: for each those of a grid that do best on the development feed (`Score.merit`).

The development feed has other tweets, authors and hours than the feeds that are measured, but the same six events: the
baselines may know more of them than the detector does.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any, TypeVar

from elasticsearch import Elasticsearch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tagstream.errors import CorruptState
from training.events.baselines.chain import ChainParameters, WordBurst, chain
from training.events.baselines.first_story import FirstStoryParameters, first_stories, neighbours
from training.events.baselines.significant_terms import SignificantTermsParameters, index_posts, term_bursts
from training.events.baselines.word_scores import WordScoreParameters, word_bursts
from training.events.baselines.words import worded_posts
from training.events.feed import Feed
from training.events.score import FoundEvent, Score, score

PARAMETERS_FILE = Path(__file__).parent / "parameters.json"
_MIN_SCORES = {"jlh": (1.0, 2.0, 4.0, 8.0), "gnd": (0.3, 0.4, 0.5)}

T = TypeVar("T")


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Parameters(_Kept):
    """The choice for each baseline; None for one that was not measured."""

    first_story: FirstStoryParameters | None = None
    word_scores: Annotated[tuple[WordScoreParameters, ChainParameters] | None, Field()] = None
    significant_terms: Annotated[tuple[SignificantTermsParameters, ChainParameters] | None, Field()] = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """Parameters, and their score on the development feed."""

    parameters: Any
    score: Score


def read_parameters(path: Path = PARAMETERS_FILE) -> Parameters:
    """Reads the chosen parameters; none yet where there is no file.

    Raises:
        CorruptState: the file is damaged.
    """
    if not path.exists():
        return Parameters()
    try:
        return Parameters.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise CorruptState(
            f"{path}: damaged: restore it, or python -m training.events.measure tune makes it anew ({error})"
        ) from error


def choose_first_story(feed: Feed) -> Chosen:
    """Tries every setting of a grid; what is nearest to what is found once."""
    posts = worded_posts(feed.posts)
    near = neighbours(posts)
    grid = product((0.4, 0.5, 0.6), (5, 8, 12, 20), (15, 30), (2.4, 3.0, 3.6, 4.2))
    return _best(feed, (FirstStoryParameters(*given) for given in grid), lambda one: first_stories(posts, near, one))


def choose_word_scores(feed: Feed) -> Chosen:
    """Tries several ways of counting words, each with every way of joining them."""
    posts = worded_posts(feed.posts)
    ways = (WordScoreParameters(*given) for given in product((15, 30), (6.0, 24.0), (True,)))
    return _best_of(_best_chain(feed, way, list(word_bursts(posts, way)), (3.0, 5.0, 8.0, 12.0)) for way in ways)


def choose_significant_terms(feed: Feed, client: Elasticsearch) -> Chosen:
    """Tries several requests, each with every way of joining what they answer."""
    posts = worded_posts(feed.posts)
    index_posts(client, posts)
    ways = (
        SignificantTermsParameters(minutes, 24, heuristic, fold_copies=True)
        for minutes, heuristic in product((15, 30), _MIN_SCORES)
    )
    return _best_of(
        _best_chain(feed, way, list(term_bursts(client, posts, way)), _MIN_SCORES[way.heuristic]) for way in ways
    )


def _best_chain(feed: Feed, way: Any, bursts: Sequence[Sequence[WordBurst]], min_scores: Iterable[float]) -> Chosen:
    grid = product(min_scores, (5, 8, 12), (1, 2, 3), (0.3,))
    best = _best(feed, (ChainParameters(*given) for given in grid), lambda one: chain(bursts, one))
    return Chosen((way, best.parameters), best.score)


def _best(feed: Feed, grid: Iterable[T], detect: Callable[[T], list[FoundEvent]]) -> Chosen:
    return _best_of(_tried(feed, grid, detect))


def _tried(feed: Feed, grid: Iterable[T], detect: Callable[[T], list[FoundEvent]]) -> Iterator[Chosen]:
    for parameters in grid:
        yield Chosen(parameters, score(feed, detect(parameters)))


def _best_of(tried: Iterable[Chosen]) -> Chosen:
    """The one of the highest merit; of equals the purest, then the first of the grid."""
    return max(tried, key=lambda one: (one.score.merit, one.score.purity or 0.0))
