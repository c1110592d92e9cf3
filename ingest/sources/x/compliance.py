"""What X's compliance streams say, as deletions, erasures and hidden accounts. Pure.

What a person asked for is for good: a deleted post is a deletion; a deleted or protected account is an erasure of all
that it wrote until then (if it comes back, what it writes from then on is read again). What X did to an account hides
it until it is undone. So no two causes share one switch, where undoing the one would show what the other hides.

A post that is to be removed from public view (`drop`) is deleted too; should it return (`undrop`), X does not send it
again. Withheld posts and accounts are withheld in some countries; those withheld in all are deleted, or hidden. Edits
come through the filtered stream. What else is said (new profiles, removed places) is nothing that we keep.
"""

from datetime import datetime

from ingest.sources.formats.json_fields import Fields, LineFault, MalformedLine, refuse, short
from ingest.sources.x.archive_fields import SOURCE, id_of, member, position_at, post_name, written_at
from tagstream.posts import AccountStatus, Deletion, Erasure, Event

POST_STREAM = "/2/tweets/compliance/stream"
USER_STREAM = "/2/users/compliance/stream"
PARTITIONS = (1, 2, 3, 4)
# X's own two: withheld everywhere, and withheld everywhere for a copyright notice.
_EVERYWHERE = frozenset({"XX", "XY"})
_IGNORED = frozenset(
    {"tweet_edit", "undrop", "user_undelete", "user_unprotect", "user_profile_modification", "scrub_geo"}
)


def read_compliance(fields: Fields) -> tuple[Event | None, datetime]:
    """The event, None where it means nothing to us, and when it happened.

    Raises:
        MalformedLine: it is no compliance event, or of a kind that is not known.
    """
    data = member(fields, "data")
    if len(data) != 1:
        refuse(LineFault.BAD_FIELD, f"data has {len(data)} fields, a compliance event has one")
    (kind,) = data
    said = member(data, kind)
    moment = written_at("event_at", said.get("event_at"))
    position = position_at(moment)
    if kind in ("delete", "drop") or (kind == "withheld" and _everywhere(said)):
        identifier = id_of("the id of the post", member(said, "tweet").get("id"))
        return Deletion(id=post_name(identifier), source=SOURCE, position=position), moment
    if kind in ("user_delete", "user_protect"):
        return Erasure(source=SOURCE, author=_account(said), position=position), moment
    if kind in ("user_suspend", "user_unsuspend") or (kind == "user_withheld" and _everywhere(said)):
        hidden = kind != "user_unsuspend"
        return AccountStatus(source=SOURCE, author=_account(said), hidden=hidden, position=position), moment
    if kind in _IGNORED or kind in ("withheld", "user_withheld"):
        return None, moment
    raise MalformedLine(LineFault.BAD_FIELD, f"a compliance event of kind {short(kind)} is not known")


def _account(said: Fields) -> str:
    return str(id_of("the id of the account", member(said, "user").get("id")))


def _everywhere(said: Fields) -> bool:
    countries = said.get("withheld_in_countries")
    return isinstance(countries, list) and any(one in _EVERYWHERE for one in countries if isinstance(one, str))
