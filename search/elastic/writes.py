"""One write to Elasticsearch, which has no transactions: effects in an order that may be cut off anywhere.

::

    changes ─▶ read registry ─▶ effects ─▶ write registry ─▶ statuses ─▶ write and delete  ─▶ look again ─▶ cursor
                    ▲            (pure)      │  over what was          documents, thumbnails  was something
                    └────────────────────────┘  read, or anew                                 deleted meanwhile?

The registry goes first: a deletion in the registry wins over every document that any writer adds later. An entry is
written only over the state that was read, so no writer loses what another wrote. A document carries the version of its
entry, so an older one never replaces a newer one, and a reader of the registry can tell whether the document is there.
What a crash leaves half done, the same changes written again complete. Keeps invariants 3, 4 and 5.

The status of an account is one document and touches no post: readers leave out the posts of hidden authors
(`hidden_authors.py`). The position of a status is its version, so the newest stays, whichever writer comes last. No
sweep over posts can be cut off by a crash, and no writer can add a post behind a sweep.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from search.batch import Account, PlayedBatch, posts_among
from search.documents import clean_letter, post_json
from search.elastic import early_thumbnails
from search.elastic.bulk import Action, ActionOutcome, send
from search.elastic.client import ElasticClient, pause
from search.elastic.documents import (
    RegistryEntry,
    account_id,
    document_id,
    letter_document,
    post_document,
    post_id,
    read_entry,
    read_letter,
    read_status,
    status_document,
    timing,
    to_json,
)
from search.elastic.effects import Effects, EntryEffect, KnownState
from search.elastic.reads import many, scan
from search.elastic.thumbnails import additions, removals
from search.index import Indexable, Remembered, SourceCursor, Writable, WriteReport
from search.registry import AccountVisibility
from search.terms import author_key, hash_key
from tagstream.errors import IndexUnavailable
from tagstream.posts import AccountStatus, DeadLetter, Deletion, Erasure, clean_text, stored_version

ROUNDS = 12
_TERMS_A_QUERY = 10_000


class WrittenPost(NamedTuple):
    """A post as JSON, and whether it comes from a feed now, and not from a backup."""

    text: str
    arrives: bool


class ElasticWriter:
    """The writer of one process, which writes one batch after the other beside any number of other writers."""

    def __init__(self, client: ElasticClient, retention_days: int) -> None:
        self._client = client
        self._names = client.names
        self._retention_days = retention_days
        self.expired_before = ""  # days before it are dropped, or about to be: deletions need not go there

    async def write(self, changes: Sequence[Writable], cursor: SourceCursor | None = None) -> WriteReport:
        """Applies the changes in order, then saves the cursor. Durable on return.

        Raises:
            IndexUnavailable: the write is cut off; write the same changes again.
            RejectedDocument: the server never takes one of the posts; others of the batch may be written.
        """
        written = await asyncio.to_thread(_written, changes)
        effects = await self._settle_registry(changes) if changes else None
        refused = 0
        if effects is not None:
            await self._write_statuses(effects)
            await self._write_documents(effects, written)
            refused = await self._write_thumbnails(effects)
            await self._sweep_dead_letters(effects)
            await self._look_again(effects)
        if cursor is not None:
            await self._save_cursor(cursor)
        return WriteReport() if effects is None else replace(effects.batch.report, refused_thumbnails=refused)

    def rehearse(self, changes: Sequence[Writable]) -> dict[int, Exception]:
        """Returns the errors of the changes that cannot even be sent, by index, whatever the registry holds."""
        failures: dict[int, Exception] = {}
        for index, change in enumerate(changes):
            try:
                effects = Effects(KnownState(), [change], self._retention_days)
                self._document_actions(effects, _written([change]))
                for letter in effects.batch.letters.values():
                    to_json(letter_document(letter, 0))
            except Exception as error:  # whatever it is, it is this change's: nothing else was touched
                failures[index] = error
        return failures

    async def keep_thumbnails(self, posts: Sequence[Indexable]) -> int:
        """Stores thumbnails ahead of their posts; returns how many the server refuses for good."""
        return await early_thumbnails.keep(self._client, posts, self._retention_days, self.expired_before)

    async def discard_thumbnails(self, posts: Sequence[Indexable]) -> None:
        """Removes the thumbnails of revisions that are not going to be written."""
        await early_thumbnails.discard(self._client, posts, self._retention_days, self.expired_before)

    async def _settle_registry(self, changes: Sequence[Writable]) -> Effects:
        """Enters the changes into the registry; returns their effects, computed on the state that was read.

        Raises:
            IndexUnavailable: other writers change the same posts again and again.
        """
        for attempt in range(ROUNDS):
            effects = Effects(await self._read_known(changes), changes, self._retention_days)
            now = _now()
            for one in effects.entries.values():
                if one.arrives:
                    one.entry.arrived_at = now
            if await self._write_registry(effects):
                return effects
            await pause(min(attempt, 3))
        raise IndexUnavailable(
            f"Other writers changed the same posts at {self._client.address} {ROUNDS} times in a row. Trying again."
        )

    async def _read_known(self, changes: Iterable[Writable]) -> KnownState:
        posts, accounts, erasures = _asked(changes)
        known = KnownState()
        await self._read_entries(known, posts, accounts)
        if erasures:
            await self._enter_erasures(erasures)
            await self._read_entries_of_authors(known, erasures)
        await self._find_lost(known, changes)
        return known

    async def _read_entries(self, known: KnownState, posts: Iterable[str], accounts: Iterable[Account]) -> None:
        by_id: dict[str, str | Account] = {post_id(one): one for one in posts}
        by_id |= (account_ids := {account_id(*one): one for one in accounts})
        wanted = [(self._names.registry, one) for one in by_id] + [(self._names.accounts, one) for one in account_ids]
        async for hit in many(self._client, wanted):
            asked = by_id[hit["_id"]]
            if isinstance(asked, str):
                known.entries[asked] = read_entry(hit)
            elif hit["_index"] == self._names.accounts:
                status = read_status(hit["_source"])
                known.statuses[asked] = AccountVisibility(status.position, status.hidden)
            else:
                known.erased[asked] = hit["_source"]["erased_up_to"]

    async def _enter_erasures(self, erasures: Mapping[Account, int]) -> None:
        """Enters erasures into the registry; from then on every writer that reads it refuses these accounts' posts."""
        actions = [
            # The position is the version: the furthest erasure stays, whatever order they come in.
            Action(
                "index",
                self._names.registry,
                account_id(*account),
                to_json({"erased_up_to": position, "source": account[0], "author_id": account[1]}),
                version=position,
            )
            for account, position in erasures.items()
        ]
        await send(self._client, actions)

    async def _read_entries_of_authors(self, known: KnownState, accounts: Iterable[Account]) -> None:
        await self._client.call(partial(self._client.raw.indices.refresh, index=self._names.registry))
        authors = [author_key(*one) for one in accounts]
        for start in range(0, len(authors), _TERMS_A_QUERY):
            query = {"terms": {"author": authors[start : start + _TERMS_A_QUERY]}}
            async for hit in scan(self._client, self._names.registry, query, [{"_shard_doc": "asc"}]):
                entry = read_entry(hit)
                known.entries.setdefault(entry.record.id, entry)

    async def _find_lost(self, known: KnownState, changes: Iterable[Writable]) -> None:
        """Notes the repeated posts whose record is visible and whose document was never written."""
        wanted: dict[str, tuple[str, int]] = {}
        for change in posts_among(changes):
            post, entry = change.post, known.entries.get(change.post.id)
            if entry is None or entry.day is None or not entry.record.visible or not self._kept(entry):
                continue
            if entry.record.version == stored_version(post.revision, post.generation):
                wanted[post.id] = (self._names.of_day(entry.day), entry.record.version)
        if not wanted:
            return
        asked = {(index, post_id(one)): one for one, (index, _) in wanted.items()}
        known.lost = set(wanted)
        async for hit in many(self._client, list(asked), fields=["version"]):
            one = asked[hit["_index"], hit["_id"]]
            if hit["_source"].get("version") == wanted[one][1]:
                known.lost.discard(one)

    async def _write_registry(self, effects: Effects) -> bool:
        """Writes the changed entries; returns whether each was still as it was read, and notes their new versions."""
        changed = [one.entry for one in effects.entries.values() if one.changed]
        actions = [
            Action(
                "create" if entry.seen is None else "index",
                self._names.registry,
                post_id(entry.record.id),
                entry.source(),
                seen=entry.seen,
            )
            for entry in changed
        ]
        results = await send(self._client, actions)
        for entry, result in zip(changed, results, strict=True):
            entry.version = result.version
        return all(result.outcome is ActionOutcome.DONE for result in results)

    async def _write_statuses(self, effects: Effects) -> None:
        """Writes the statuses. A hiding status replaces one of the same position, a showing one only an older."""
        actions = [
            Action(
                "index",
                self._names.accounts,
                account_id(*account),
                to_json(status_document(*account, visibility)),
                version=visibility.position,
                only_newer=not visibility.hidden,
            )
            for account, visibility in effects.batch.statuses.items()
        ]
        await send(self._client, actions)

    async def _write_documents(self, effects: Effects, written: Mapping[int, WrittenPost]) -> None:
        """Writes and removes documents and adds dead letters. A newer version there stays: its writer knew more."""
        actions = await asyncio.to_thread(self._document_actions, effects, written)
        actions += [
            self._removal(one.entry) for one in effects.entries.values() if one.removed and self._kept(one.entry)
        ]
        if effects.batch.letters:
            actions += await self._letter_actions(effects.batch.letters)
        await send(self._client, actions)

    async def _write_thumbnails(self, effects: Effects) -> int:
        """Keeps the thumbnails that visible documents show; returns how many the server refuses for good."""
        names, over, actions = self._names, self.expired_before, []
        for one in effects.entries.values():
            actions += removals(names, one.entry, one.strays, over)
            actions += additions(names, one.entry, one.brought, over)
        return sum(result.outcome is ActionOutcome.REJECTED for result in await send(self._client, actions))

    def _document_actions(self, effects: Effects, written: Mapping[int, WrittenPost]) -> list[Action]:
        return [self._document_action(one, written) for one in effects.stored()]

    def _document_action(self, effect: EntryEffect, written: Mapping[int, WrittenPost]) -> Action:
        entry, post = effect.entry, effect.post
        assert post is not None
        assert entry.day is not None
        text, arrives = written[id(post)]
        told = timing(post, entry.record, _now(), first=arrives and effect.before is None)
        told["arrived_at"] = entry.arrived_at
        source = to_json(post_document(post, text, entry.record, told))
        return Action("index", self._names.of_day(entry.day), post_id(post.id), source, version=entry.version)

    def _removal(self, entry: RegistryEntry) -> Action:
        assert entry.day is not None
        return Action("delete", self._names.of_day(entry.day), post_id(entry.record.id), version=entry.version)

    def _kept(self, entry: RegistryEntry) -> bool:
        """Returns whether the index of the entry's day is still there: a deletion would make it again."""
        return entry.day is not None and entry.day >= self.expired_before

    async def _letter_actions(self, letters: Mapping[str, DeadLetter]) -> list[Action]:
        """Returns the actions that add dead letters; a letter that comes again keeps its place in the order."""
        now = _now()
        ids = {document_id("d", origin): letter for origin, letter in letters.items()}
        kept_at: dict[str, int] = {}
        async for hit in many(self._client, [(self._names.dead, one) for one in ids], fields=["kept_at"]):
            kept_at[hit["_id"]] = hit["_source"]["kept_at"]
        return [
            Action("index", self._names.dead, one, to_json(letter_document(letter, kept_at.get(one, now + place))))
            for place, (one, letter) in enumerate(ids.items())
        ]

    async def _sweep_dead_letters(self, effects: Effects) -> None:
        """Removes the stored dead letters that the deletions and erasures cover."""
        posts = sorted({hash_key("letter", clean_text(one)) for one in effects.batch.deletions})
        authors = sorted({author_key(*one) for one in effects.batch.erasures})
        if not posts and not authors:
            return
        await self._client.call(partial(self._client.raw.indices.refresh, index=self._names.dead))
        gone: list[str] = []
        for field, keys in (("post_key", posts), ("author_key", authors)):
            for start in range(0, len(keys), _TERMS_A_QUERY):
                query = {"terms": {field: keys[start : start + _TERMS_A_QUERY]}}
                found = scan(self._client, self._names.dead, query, [{"_shard_doc": "asc"}])
                gone += [hit["_id"] async for hit in found if effects.batch.refuses(read_letter(hit["_source"]))]
        await send(self._client, [Action("delete", self._names.dead, one) for one in gone])

    async def _look_again(self, effects: Effects) -> None:
        """Removes what was deleted or erased since the registry was read: that writer could not see our documents."""
        stored = effects.stored()
        illustrated = [one for one in effects.entries.values() if one.brought]
        if not stored and not illustrated and not effects.batch.letters:
            return
        letters = list(effects.batch.letters.values())
        posts = {one.entry.record.id: one for one in (*stored, *illustrated)}
        accounts: set[Account] = {
            Account(one.post.source, one.post.author.id)
            for one in stored
            if one.post is not None and one.post.author is not None
        }
        accounts |= {Account(letter.source, letter.author) for letter in letters if letter.author is not None}
        now = KnownState()
        await self._read_entries(now, [*posts, *(one.post_id for one in letters if one.post_id)], accounts)
        undone = []
        for post, entry in now.entries.items():
            if post in posts and entry.version != posts[post].entry.version:
                undone += [] if entry.record.visible else [self._removal(entry)]
                undone += removals(self._names, entry, posts[post].strays, self.expired_before)
        check = PlayedBatch(now)
        undone += [
            Action("delete", self._names.dead, document_id("d", one.origin)) for one in letters if check.refuses(one)
        ]
        await send(self._client, undone)
        later = [
            Erasure(source=account.source, author=account.author, position=position)
            for account, position in now.erased.items()
            if (known := effects.batch.erased_up_to(account)) is None or position > known
        ]
        if later:  # erased while we wrote: the sweep is repeated, with our posts in its sight
            await self.write(later)

    async def _save_cursor(self, cursor: SourceCursor) -> None:
        source = to_json({"source": cursor.source, "position": cursor.position})
        await send(self._client, [Action("index", self._names.cursors, document_id("c", cursor.source), source)])

    async def drop_letters(self, origins: Sequence[str]) -> int:
        """Removes dead letters by origin; returns how many were there."""
        actions = [Action("delete", self._names.dead, document_id("d", one)) for one in dict.fromkeys(origins)]
        return sum(one.found for one in await send(self._client, actions, refresh=True))


def _now() -> int:
    """Returns the milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def _written(changes: Iterable[Writable]) -> dict[int, WrittenPost]:
    """Returns the posts of the changes as JSON, by the identity of the object: a batch may hold two of one version.

    Called before anything is written, so that a batch with a post that no store can take leaves nothing.
    """
    arriving = {id(one.post) for one in changes if isinstance(one, Indexable)}
    return {id(one.post): WrittenPost(post_json(one.post), id(one.post) in arriving) for one in posts_among(changes)}


def _asked(changes: Iterable[Writable]) -> tuple[set[str], set[Account], dict[Account, int]]:
    """Returns the posts, the accounts and the erasures that the changes name."""
    posts: set[str] = set()
    accounts: set[Account] = set()
    erasures: dict[Account, int] = {}
    for post in (one.post for one in posts_among(changes)):
        posts.add(post.id)
        if post.author is not None:
            accounts.add(Account(post.source, post.author.id))
    for change in changes:
        match change:
            case Remembered(record):
                posts.add(record.id)
            case Deletion():
                posts.add(change.id)
            case Erasure():
                account = Account(clean_text(change.source), change.author)
                accounts.add(account)
                erasures[account] = max(change.position, erasures.get(account, 0))
            case AccountStatus():
                accounts.add(Account(clean_text(change.source), change.author))
            case DeadLetter():
                letter = clean_letter(change)
                posts |= {letter.post_id} if letter.post_id is not None else set()
                accounts |= {Account(letter.source, letter.author)} if letter.author is not None else set()
    return posts, accounts, erasures
