"""Communities of trending subjects: those that the same posts mention.

The weight between two subjects is the cosine of their co-mentions, as in Fedoryszak et al. (KDD 2019); communities are
found by the method of Louvain, with a fixed seed on nodes and edges in order, so that equal trends give equal answers.
"""

import math
from collections.abc import Iterable, Sequence

import networkx

from search.events.window import SubjectKey
from tagstream.detections import TrendState

MIN_SIMILARITY = 0.1
_SEED = 7


def communities_of(trends: Iterable[TrendState]) -> list[list[TrendState]]:
    """Returns the communities, each with its highest score first, in order of their first subject's score."""
    by_subject: dict[SubjectKey, TrendState] = {
        (trend.type, trend.key): trend for trend in sorted(trends, key=_highest_first)
    }
    if not by_subject:
        return []
    graph = networkx.Graph()
    graph.add_nodes_from(by_subject)
    for subject, trend in by_subject.items():
        for companion in trend.companions:
            other = (companion.type, companion.key)
            if other in by_subject:
                similarity = companion.posts / math.sqrt(max(1, trend.posts * by_subject[other].posts))
                if similarity >= MIN_SIMILARITY:
                    known = graph.get_edge_data(subject, other, {"weight": 0.0})["weight"]
                    graph.add_edge(subject, other, weight=max(known, similarity))
    found: Sequence[set[SubjectKey]] = networkx.community.louvain_communities(graph, weight="weight", seed=_SEED)
    communities = [sorted((by_subject[subject] for subject in group), key=_highest_first) for group in found]
    return sorted(communities, key=lambda community: _highest_first(community[0]))


def _highest_first(trend: TrendState) -> tuple[float, str, str]:
    return -trend.score, trend.type, trend.key
