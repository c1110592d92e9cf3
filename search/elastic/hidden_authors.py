"""Who is hidden, for those who read from Elasticsearch.

Every search and every count asks first which accounts are hidden, and leaves their posts out. So a status takes effect
at once for all of an author's posts, whenever and by whomever they are written, and hiding an author costs one document
however many posts there are. The price: each question sends the list along. The list itself is fetched only after it
has changed.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from search.elastic.client import ElasticClient
from search.elastic.queries import Json, hidden_left_out

_STEP = 10_000  # what a server gives at once by default
_HIDDEN = {"term": {"hidden": True}}
# With it a cluster asks the same copy each time: two copies may differ for a moment, and a list must be of one.
_PREFERENCE = "accounts"

State = tuple[int, float]
_lists: WeakKeyDictionary[ElasticClient, tuple[State, Sequence[Json]]] = WeakKeyDictionary()


async def shown_filters(client: ElasticClient) -> Sequence[Json]:
    """The filters that leave out the posts of hidden authors, as of the last refresh; none if nobody is hidden."""
    before = await _state(client)
    known, filters = _lists.get(client, (None, ()))
    if known != before:
        filters = hidden_left_out(await _hidden_authors(client))
        # A list that was read before some status and after another is used once and never again.
        if before == await _state(client):
            _lists[client] = before, filters
    return filters


async def _state(client: ElasticClient) -> State:
    """A value that no two lists of hidden accounts have: how many there are, and the sum of their sequence numbers.

    Each write gives its document a higher number than all before and none is ever deleted. The highest would not do:
    writes may become visible in another order than they are numbered. Accounts that are shown do not count, or every
    new account of a network would make everybody fetch the list again.
    """
    numbers = {"numbers": {"stats": {"field": "_seq_no"}}}
    answer = await _ask(client, query=_HIDDEN, size=0, aggregations=numbers)
    found = answer["aggregations"]["numbers"]
    return found["count"], found["sum"]


async def _hidden_authors(client: ElasticClient) -> list[int]:
    """The hashes of all that are hidden."""
    authors: list[int] = []
    after: list[Any] | None = None
    while True:
        page = {"size": _STEP, "sort": [{"author": "asc"}], "search_after": after, "source": False}
        answer = await _ask(client, query=_HIDDEN, **page)
        hits = answer["hits"]["hits"]
        authors += [hit["sort"][0] for hit in hits]
        if len(hits) < _STEP:
            return authors
        after = hits[-1]["sort"]


async def _ask(client: ElasticClient, **body: Any) -> Any:
    question = partial(
        client.raw.search, track_total_hits=False, allow_partial_search_results=False, preference=_PREFERENCE, **body
    )
    return await client.call(partial(question, index=client.names.accounts))
