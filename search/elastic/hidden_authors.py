"""The filters that leave out the posts of hidden authors in Elasticsearch.

Every search and every count first asks which accounts are hidden, and leaves their posts out. So a status takes effect
at once for all posts of an author, whichever writer adds them, and hiding an author costs one document, however many
posts there are. The price: each question carries the list. The list is fetched only after it has changed.
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
    """Returns the filters that leave out hidden authors, as of the last refresh; none if nobody is hidden."""
    before = await list_state(client)
    known, filters = _lists.get(client, (None, ()))
    if known != before:
        filters = hidden_left_out(await _hidden_authors(client))
        # A list that was read before some status and after another is used once and never again.
        if before == await list_state(client):
            _lists[client] = before, filters
    return filters


async def list_state(client: ElasticClient) -> State:
    """Returns a value that no two lists share: the number of hidden accounts, and the sum of their sequence numbers.

    Each write gives its document a higher sequence number than all before, and none is ever deleted. The highest number
    would not do: writes may become visible in another order than they are numbered. Accounts that are shown do not
    count, or every new account of a network would make every process fetch the list again.
    """
    numbers = {"numbers": {"stats": {"field": "_seq_no"}}}
    answer = await _ask(client, query=_HIDDEN, size=0, aggregations=numbers)
    found = answer["aggregations"]["numbers"]
    return found["count"], found["sum"]


async def _hidden_authors(client: ElasticClient) -> list[int]:
    """Returns the keys of all hidden authors."""
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
