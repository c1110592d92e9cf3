"""Entity mentions of a post: one record for each entity that it names, from which trends are counted.

Pure. A mention is `{"version", "key", "type", "author", "minute", "post_id", "revision", "companions"}` as JSON, under
the entity's key. `author` is null for a post without one, `minute` the UTC minute of min(what the author's clock said,
when the post was accepted) in ISO 8601, `companions` the other entities of the post as `[type, key]`. Delivery is at
least once: a reader tells a repeat by (`post_id`, `revision`, `type`, `key`).
"""

import json

from search.index import Indexable
from tagstream.kafka.topics import Topics, headers
from workers.faust.records import Outgoing

VERSION = 1
# A hostile post may name a thousand: each of its mentions would carry all others.
MAX_COMPANIONS = 32
# Of a key: so that no mention can outgrow its topic.
MAX_KEY_LENGTH = 256


def mentions_of(change: Indexable, names: Topics) -> list[Outgoing]:
    """Returns the mentions of a post, one for each distinct entity, in the order in which it names them."""
    post = change.post
    entities = list(dict.fromkeys((entity.type, entity.key[:MAX_KEY_LENGTH]) for entity in post.entities))
    minute = min(post.created_at, change.observed_at).replace(second=0, microsecond=0)
    shared = {
        "version": VERSION,
        "author": post.author.id if post.author else None,
        "minute": minute.replace(tzinfo=None).isoformat(timespec="minutes") + "Z",
        "post_id": post.id,
        "revision": post.revision,
    }
    return [
        Outgoing(
            names.mentions.name,
            key.encode(),
            json.dumps(
                {"key": key, "type": type_}
                | shared
                | {"companions": [other for other in entities if other != (type_, key)][:MAX_COMPANIONS]},
                ensure_ascii=False,
            ).encode(),
            headers(change.observed_at),
        )
        for type_, key in entities
    ]
