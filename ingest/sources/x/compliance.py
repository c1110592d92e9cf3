"""The events of X's compliance streams, as deletions, erasures and hidden accounts. Pure.

A person's own wish is for good: a deleted post is a deletion; a deleted or protected account is an erasure of
everything that it wrote until then. If it comes back, its later posts are read again. A measure of X hides an account
until it is undone. So no two causes share one switch, where undoing one would show what the other hides.

A post that is to be removed from public view (`drop`) is deleted too; should it return (`undrop`), X does not send it
again. Withheld posts and accounts are withheld in some countries; those withheld in all are deleted, or hidden. Edits
come through the filtered stream. Other events (new profiles, removed places) are about nothing that is kept.
"""

from datetime import datetime

from ingest.sources.formats.json_fields import Fields, LineFault, MalformedLine, refuse, short
from ingest.sources.x.archive_fields import SOURCE, id_of, member, position_at, post_name, written_at
from tagstream.posts import AccountStatus, Deletion, Erasure, Event

POST_STREAM = "/2/tweets/compliance/stream"
USER_STREAM = "/2/users/compliance/stream"
PARTITIONS = (1, 2, 3, 4)
# X's codes for: withheld everywhere, and withheld everywhere for a copyright notice.
_EVERYWHERE = frozenset({"XX", "XY"})
_IGNORED = frozenset(
    {"tweet_edit", "undrop", "user_undelete", "user_unprotect", "user_profile_modification", "scrub_geo"}
)


def read_compliance(fields: Fields) -> tuple[Event | None, datetime]:
    """Reads a compliance event: the event (None where it means nothing here) and when it happened.

    Raises:
        MalformedLine: it is no compliance event, or of an unknown kind.
    """
    data = member(fields, "data")
    if len(data) != 1:
        refuse(LineFault.BAD_FIELD, f"data has {len(data)} fields, a compliance event has one")
    (kind,) = data
    body = member(data, kind)
    timestamp = written_at("event_at", body.get("event_at"))
    position = position_at(timestamp)
    if kind in ("delete", "drop") or (kind == "withheld" and _everywhere(body)):
        identifier = id_of("the id of the post", member(body, "tweet").get("id"))
        return Deletion(id=post_name(identifier), source=SOURCE, position=position), timestamp
    if kind in ("user_delete", "user_protect"):
        return Erasure(source=SOURCE, author=_account(body), position=position), timestamp
    if kind in ("user_suspend", "user_unsuspend") or (kind == "user_withheld" and _everywhere(body)):
        hidden = kind != "user_unsuspend"
        return AccountStatus(source=SOURCE, author=_account(body), hidden=hidden, position=position), timestamp
    if kind in _IGNORED or kind in ("withheld", "user_withheld"):
        return None, timestamp
    raise MalformedLine(LineFault.BAD_FIELD, f"a compliance event of kind {short(kind)} is not known")


def _account(body: Fields) -> str:
    return str(id_of("the id of the account", member(body, "user").get("id")))


def _everywhere(body: Fields) -> bool:
    countries = body.get("withheld_in_countries")
    return isinstance(countries, list) and any(
        country in _EVERYWHERE for country in countries if isinstance(country, str)
    )
