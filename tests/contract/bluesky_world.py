"""A small Bluesky: accounts that write, edit, delete, write again under one key, leave and come back.

It keeps what the network holds, and the log of events by which others learn of it. It uses no code of the product.
"""

import base64
import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

START_US = 1_714_560_000_000_000  # 2024-05-01 10:40 UTC
TICK_US = 1_000_000
AWAY_US = 60_000_000  # nobody is back sooner from being deleted
_ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
_WORDS = (
    "Angela Merkel",
    "Paris",
    "#Berlin",
    "naïve café",
    "東京",
    "👩🏽‍🚀",
    "earthquake",
    "NASA",
    "flood",
    "#NewYorkCity",
)


def tid(microseconds: int, clock: int = 7) -> str:
    """The timestamp identifier of that moment: 53 bits of microseconds and 10 of clock, five bits a character."""
    number = microseconds << 10 | clock
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(60, -1, -5))


def cid(content: str) -> str:
    """A content id as they look (version 1, base 32)."""
    digest = hashlib.sha256(content.encode()).digest()
    return "b" + base64.b32encode(b"\x01\x71\x12\x20" + digest).decode().lower().rstrip("=")


def iso(microseconds: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def blob(content: str, kind: str = "image/jpeg") -> dict[str, Any]:
    return {"$type": "blob", "ref": {"$link": cid(content)}, "mimeType": kind, "size": 1234}


@dataclass
class Account:
    did: str
    handle: str
    posts: dict[str, "Stored"] = field(default_factory=dict)
    hidden: bool = False
    rev_us: int = 0


@dataclass(frozen=True)
class Stored:
    """A post as the network holds it."""

    record: dict[str, Any]
    rev: str
    handle: str | None


class World:
    """What happens on the network, one event after another, a second apart."""

    def __init__(self, seed: int = 1, accounts: int = 6) -> None:
        self.events: list[dict[str, Any]] = []
        self.failures: list[AssertionError] = []
        self.now_us = START_US
        self._dice = random.Random(seed)
        self._sequence = 1000
        self._written = 0
        self.accounts = [self._account(number) for number in range(accounts)]

    def _account(self, number: int) -> Account:
        name = base64.b32encode(hashlib.sha256(str(number).encode()).digest()).decode().lower()[:24]
        return Account(did=f"did:plc:{name}", handle=f"author{number}.example.org")

    def _emit(self, did: str, kind: str, body: dict[str, Any]) -> None:
        self.now_us += TICK_US
        self.events.append({"did": did, "time_us": self.now_us, "kind": kind, kind: body})

    def _commit(self, account: Account, operation: str, key: str, record: dict[str, Any] | None) -> str:
        account.rev_us = max(account.rev_us + 1, self.now_us + 500_000)
        rev = tid(account.rev_us)
        body: dict[str, Any] = {"rev": rev, "operation": operation, "collection": "app.bsky.feed.post", "rkey": key}
        if record is not None:
            body |= {"record": record, "cid": cid(str(record))}
        self._emit(account.did, "commit", body)
        return rev

    def record(self, text: str, **more: Any) -> dict[str, Any]:
        return {"$type": "app.bsky.feed.post", "text": text, "createdAt": iso(self.now_us), "langs": ["en"]} | more

    def write_post(
        self, account: Account | None = None, key: str | None = None, record: dict[str, Any] | None = None
    ) -> str:
        """A new post; returns its key."""
        account = account or self._dice.choice(self.accounts)
        self._written += 1
        key = key or tid(self.now_us + self._written)
        record = record or self.record(" ".join(self._dice.sample(_WORDS, 4)) + f" {self._written}")
        rev = self._commit(account, "create", key, record)
        account.posts[key] = Stored(record, rev, None)
        return key

    def edit_post(self, account: Account, key: str, record: dict[str, Any] | None = None) -> None:
        record = record or self.record(f"edited: {' '.join(self._dice.sample(_WORDS, 3))}")
        rev = self._commit(account, "update", key, record)
        account.posts[key] = Stored(record, rev, None)

    def delete_post(self, account: Account, key: str) -> None:
        self._commit(account, "delete", key, None)
        del account.posts[key]

    def set_status(self, account: Account, active: bool, status: str | None = None) -> None:
        self._sequence += 1
        body = {"did": account.did, "seq": self._sequence, "time": iso(self.now_us), "active": active}
        self._emit(account.did, "account", body | ({} if status is None else {"status": status}))
        if status in ("deleted", "takendown"):
            account.posts.clear()
            account.hidden = False
            self.now_us += AWAY_US
        else:
            account.hidden = not active

    def rename(self, account: Account, handle: str) -> None:
        account.handle = handle
        self._sequence += 1
        body = {"did": account.did, "seq": self._sequence, "time": iso(self.now_us), "handle": handle}
        self._emit(account.did, "identity", body)

    def like(self, account: Account) -> None:
        """A record of another collection."""
        account.rev_us = max(account.rev_us + 1, self.now_us)
        like = {"$type": "app.bsky.feed.like", "createdAt": iso(self.now_us)}
        body = {"rev": tid(account.rev_us), "operation": "create", "collection": "app.bsky.feed.like"}
        self._emit(account.did, "commit", body | {"rkey": tid(self.now_us), "record": like, "cid": cid(str(like))})

    def sync(self, account: Account, silently_deleted: Sequence[str] = ()) -> None:
        """Its records are counted anew: some went without a word; those that are left come again, under its newest rev.

        Only servers of the second form tell of it.
        """
        for key in silently_deleted:
            del account.posts[key]
        account.rev_us = max(account.rev_us + 1, self.now_us)
        self._sequence += 1
        rev = tid(account.rev_us)
        body = {
            "did": account.did,
            "seq": self._sequence,
            "time": iso(self.now_us),
            "rev": rev,
            "blocks": {"$bytes": ""},
        }
        self._emit(account.did, "sync", body)
        for key, stored in account.posts.items():
            commit = {"rev": rev, "operation": "create", "collection": "app.bsky.feed.post", "rkey": key}
            self._emit(account.did, "commit", commit | {"record": stored.record, "cid": cid(str(stored.record))})
            account.posts[key] = Stored(stored.record, rev, stored.handle)

    def unseen_like(self, account: Account) -> dict[str, Any]:
        """A like as an event, of which the network's own log says nothing."""
        self.like(account)
        return self.events.pop()

    def live(self, steps: int) -> None:
        """That many things happen."""
        gone: list[tuple[Account, str]] = []
        for _ in range(steps):
            account = self._dice.choice(self.accounts)
            keys = list(account.posts)
            match self._dice.choices(range(8), weights=(50, 12, 12, 8, 3, 3, 4, 4))[0]:
                case 1 if keys:
                    self.edit_post(account, self._dice.choice(keys))
                case 2 if keys:
                    key = self._dice.choice(keys)
                    self.delete_post(account, key)
                    gone.append((account, key))
                case 3 if gone:
                    account, key = gone.pop()
                    if key not in account.posts:
                        self.write_post(account, key)
                case 4:
                    self.set_status(account, False, self._dice.choice(("deactivated", "suspended")))
                case 5:
                    self.set_status(account, False, self._dice.choice(("deleted", "takendown")))
                case 6:
                    self.set_status(account, True)
                case 7:
                    self.rename(account, f"author{self._dice.randrange(10**6)}.example.org")
                    self.like(account)
                case _:
                    self.write_post(account)

    def visible(self) -> dict[str, Stored]:
        """Every post that the network shows, by its id in the index."""
        return {
            f"bluesky:{account.did}/{key}": stored
            for account in self.accounts
            if not account.hidden
            for key, stored in account.posts.items()
        }
