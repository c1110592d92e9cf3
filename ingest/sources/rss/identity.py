"""The identity of the entries of a feed: the native id of each. Pure.

The id is the feed's own (`guid`, `id`) where it is an address or a URN, because such an id means the same in every feed
of the host. Any other id is only unique within its feed, whatever the feed calls it, and stands behind a digest of the
feed's address. An entry without an id has its link as id, and without a link its own words.

Some feeds give one id, or one link and no id, to all their entries: a live blog, a status page. Such a name is none:
its entries are told apart by their link, title and date, which is their story. Where several share that too, a story is
none either, and their words tell them apart. A name that was shared once is shared for good, however many entries bear
it at the moment, so a feed's memory keeps it. Several revisions of one entry, with the same link and title and each
with a date of its own change, stay one.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from urllib.parse import urljoin

from ingest.sources.rss.document import Document, FeedEntry
from tagstream.posts import MAX_REVISION, clean_text

_MEANS_THE_SAME_EVERYWHERE = ("https://", "http://", "tag:", "urn:")


def name_of(entry: FeedEntry, document: Document, address: str) -> str:
    """Returns the feed's own name of the entry; "" if it has none."""
    return clean_text(entry.id or absolute(entry.link, entry, document, address))


def shared_names(document: Document, address: str, was_shared: Callable[[str], bool]) -> set[str]:
    """Returns the names, and their stories, that several different entries bear or, as it `was_shared`, once bore."""
    bearers: dict[str, list[FeedEntry]] = defaultdict(list)
    for entry in document.entries:
        bearers[name_of(entry, document, address)].append(entry)
    bearers.pop("", None)
    shared = {name for name, entries in bearers.items() if was_shared(name) or not _are_one(entries)}
    words_by_story: defaultdict[str, set[str]] = defaultdict(set)
    for name in shared:
        for entry in bearers[name]:
            words_by_story[_story(name, entry)].add(entry.words)
    return shared | {story for story, words in words_by_story.items() if was_shared(story) or len(words) > 1}


def native_ids(document: Document, address: str, shared: Collection[str]) -> list[str]:
    """Returns the native id of each entry; `shared` are the names and stories that are none."""
    ids = []
    for entry in document.entries:
        name = name_of(entry, document, address)
        if name in shared:
            story = _story(name, entry)
            words_by_story = _digest(f"{story}\0{entry.words}") if story in shared else story
            ids.append(f"{_scope(address)}/sha256-{words_by_story}")
        else:
            ids.append(_native_id(name, entry, address))
    return ids


def revision_of(entry: FeedEntry) -> int:
    """Returns the microseconds since 1970 of the newest change that the entry tells of; 0 where it tells of none."""
    if entry.updated is None or entry.updated == entry.published:
        return 0
    if entry.published is not None and entry.updated < entry.published:
        return 0
    revision = entry.updated * 1_000_000
    return revision if 0 <= revision < MAX_REVISION else 0


def absolute(address_text: str, entry: FeedEntry, document: Document, address: str) -> str:
    """Makes an address of an entry absolute; returns "" for a text that is none."""
    if not address_text.strip():
        return ""
    try:
        return urljoin(urljoin(document.address or address, entry.base), address_text.strip())
    except ValueError:
        return ""


def _native_id(name: str, entry: FeedEntry, address: str) -> str:
    if not name:
        name = f"sha256-{entry.words}"
    elif not name.isprintable():
        name = f"sha256-{_digest(name)}"
    elif name.startswith(_MEANS_THE_SAME_EVERYWHERE):
        return name
    return f"{_scope(address)}/{name}"


def _are_one(entries: Sequence[FeedEntry]) -> bool:
    """Says whether the entries are one: word for word, or each a revision of it."""
    if len({(entry.link, entry.title, entry.words) for entry in entries}) == 1:
        return True
    revisions = {revision_of(entry) for entry in entries}
    alike = len({(entry.link, entry.title) for entry in entries}) == 1
    return alike and bool(entries[0].id) and len(revisions) == len(entries)


def _story(name: str, entry: FeedEntry) -> str:
    return _digest("\0".join((name, entry.link, entry.title, str(entry.published))))


def _scope(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()[:12]


def _digest(text: str) -> str:
    return hashlib.sha256(clean_text(text).encode()).hexdigest()
