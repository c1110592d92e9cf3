"""Communities of trending subjects: those that the same posts mention.

The weight between two subjects is the cosine of their co-mentions, the posts that mention both by the root of the
product of those that mention each, as in Fedoryszak et al. (KDD 2019). A trend lists its commonest companions alone, so
one of the two may know of it; what the other would say follows from the authors of both. Communities are found by the
method of Louvain, with a fixed seed on nodes and edges in order, so that equal trends give equal answers.
"""

import math
from collections.abc import Iterable, Sequence

import networkx

from search.events.same_letters import letters_of
from search.events.window import SubjectKey
from tagstream.detections import TrendState

MIN_SIMILARITY = 0.1
MAX_NODES = 400
"""The subjects of a minute that are joined, highest scores first: a bound on the time that a minute takes."""
_SEED = 7


def communities_of(trends: Iterable[TrendState]) -> list[list[TrendState]]:
    """Returns the communities, each with its highest score first, in order of their first subject's score."""
    ranked = sorted(trends, key=_highest_first)[:MAX_NODES]
    by_subject: dict[SubjectKey, TrendState] = {letters_of(trend.key): trend for trend in ranked}
    if not by_subject:
        return []
    shares = {subject: shares_of_companions(trend) for subject, trend in by_subject.items()}
    graph = networkx.Graph()
    graph.add_nodes_from(by_subject)
    for subject, companions in shares.items():
        for other, share in companions.items():
            if other in by_subject and not graph.has_edge(subject, other):
                opposite = share * by_subject[subject].authors / max(1, by_subject[other].authors)
                similarity = math.sqrt(share * min(1.0, shares[other].get(subject, opposite)))
                if similarity >= MIN_SIMILARITY:
                    graph.add_edge(subject, other, weight=similarity)
    found: Sequence[set[SubjectKey]] = networkx.community.louvain_communities(graph, weight="weight", seed=_SEED)
    communities = [sorted((by_subject[subject] for subject in group), key=_highest_first) for group in found]
    return sorted(communities, key=lambda community: _highest_first(community[0]))


def shares_of_companions(trend: TrendState) -> dict[SubjectKey, float]:
    """Returns the share of the subject's newest distinct posts that mention each companion."""
    posts = max(1, trend.counted or trend.authors)
    return {letters_of(one.key): min(1.0, one.posts / posts) for one in trend.companions}


def _highest_first(trend: TrendState) -> tuple[float, str, str]:
    return -trend.score, trend.type, trend.key
