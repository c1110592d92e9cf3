"""The alias of the posts that may be seen, for Kibana and whoever else asks the server directly.

::

    PREFIX-posts ─▶ every PREFIX-posts-v2-DAY, without the posts of hidden authors

Posts of hidden authors stay in their indices (`hidden_authors.py`), and no data view of Kibana can leave them out: the
filter of an alias does, whatever is asked of it. It is the list of hidden authors, because a server takes no filter
that looks the list up. Days to come get it from a component of their template, which also notes of which list it is:
so a process sees whether another has left an older one there. Our own searches ask for the list, and not for this.
"""

import time
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from search.elastic.address import Names
from search.elastic.client import ElasticClient
from search.elastic.hidden_authors import list_state, shown_filters
from search.elastic.queries import Json
from search.index import Writable
from tagstream.posts import AccountStatus

INTERVAL_SECONDS = 10.0


class ShownPosts:
    """The alias as one writing process keeps it: looked at every ten seconds, while there is something to write."""

    def __init__(self, client: ElasticClient) -> None:
        self._client = client
        self._next = time.monotonic() + INTERVAL_SECONDS
        self._behind = False

    def note(self, changes: Iterable[Writable]) -> None:
        """Notes whether what is about to be written changes who is hidden."""
        self._behind = self._behind or any(isinstance(one, AccountStatus) for one in changes)

    async def keep_current(self) -> None:
        """Makes the alias leave out who is hidden now, if it is time to look."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + INTERVAL_SECONDS
        names = self._client.names
        if self._behind:  # what this process wrote is to be seen
            await self._client.call(partial(self._client.raw.indices.refresh, index=names.accounts))
            self._behind = False
        if await _noted(self._client) != list(await list_state(self._client)):
            await publish(self._client, known=True)

    async def finish(self) -> None:
        """Makes the alias leave out who is hidden now, if this process wrote who that is."""
        if self._behind:
            self._next = 0.0
            await self.keep_current()


def component(names: Names) -> str:
    """Returns the name of the component template that holds the alias."""
    return f"{names.shown_posts}-shown"


async def publish(client: ElasticClient, *, known: bool) -> None:
    """Sets the alias of all indices of posts, there and to come; without the index of accounts nobody is `known`."""
    while True:
        state = await list_state(client) if known else (0, 0.0)
        filters = await shown_filters(client) if known else ()
        await _put(client, filters, state)
        # Two may do this at once: the later of them leaves the newer list, or sees that it has not.
        if not known or state == await list_state(client):
            return


async def _put(client: ElasticClient, filters: Sequence[Json], state: tuple[int, float]) -> None:
    names = client.names
    filtered: Json = {"filter": filters[0]} if filters else {}
    template = {"aliases": {names.shown_posts: filtered}}
    put = partial(client.patient.cluster.put_component_template, name=component(names), template=template)
    await client.call(partial(put, meta={"hidden": list(state)}))
    answer = await client.call(partial(client.raw.indices.get_settings, index=names.posts, name="index.uuid"))
    indices = sorted(answer)
    if indices:
        actions: list[Any] = [{"add": {"indices": indices, "alias": names.shown_posts, **filtered}}]
        await client.call(partial(client.patient.indices.update_aliases, actions=actions))


async def _noted(client: ElasticClient) -> list[float] | None:
    """Returns the state of the list that the alias is of."""
    ask = partial(client.raw.cluster.get_component_template, name=component(client.names))
    answer = await client.call(partial(ask, filter_path="component_templates.component_template._meta"))
    found: list[float] | None = answer["component_templates"][0]["component_template"]["_meta"].get("hidden")
    return found
