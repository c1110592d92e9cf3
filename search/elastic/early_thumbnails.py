"""Thumbnails stored in Elasticsearch ahead of their posts, and removed when the posts do not come after all.

`writes.py` holds what a written post decides about them, `thumbnails.py` where they lie.
"""

from collections.abc import Sequence

from search.elastic.bulk import ActionOutcome, send
from search.elastic.client import ElasticClient
from search.elastic.documents import post_id
from search.elastic.reads import many
from search.elastic.thumbnails import ahead, places_of, removal
from search.index import Indexable


async def keep(client: ElasticClient, posts: Sequence[Indexable], retention_days: int, expired_before: str) -> int:
    """Stores the thumbnails of posts to come; returns how many the server refuses for good.

    Raises:
        IndexUnavailable: some are not stored; the same call again stores them.
    """
    illustrated = [one for one in posts if one.thumbnails]
    days = await _days(client, illustrated)
    results = await send(
        client,
        [
            action
            for one in illustrated
            for action in ahead(client.names, one, days.get(one.post.id), retention_days, expired_before)
        ],
    )
    return sum(one.outcome is ActionOutcome.REJECTED for one in results)


async def discard(client: ElasticClient, posts: Sequence[Indexable], retention_days: int, expired_before: str) -> None:
    """Removes the thumbnails of these revisions, wherever they may lie.

    Raises:
        IndexUnavailable: some are not removed; the same call again removes them.
    """
    days = await _days(client, posts)
    await send(
        client,
        [
            removal(client.names, one.post.id, where, one.post.revision)
            for one in posts
            for where in sorted(places_of(one, days.get(one.post.id), retention_days))
            if where >= expired_before
        ],
    )


async def _days(client: ElasticClient, posts: Sequence[Indexable]) -> dict[str, str | None]:
    """Returns the days of the posts that the registry knows, by id."""
    names = {post_id(one.post.id): one.post.id for one in posts}
    wanted = [(client.names.registry, one) for one in names]
    return {names[hit["_id"]]: hit["_source"].get("day") async for hit in many(client, wanted, fields=["day"])}
