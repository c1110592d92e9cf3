"""The handles of accounts, as far as they are known, in bounded memory.

A post of Bluesky names its author by an identifier alone. A handle is learnt from the network's own events while the
feed is read, and from a public directory beside it (`directory.py`).
"""

import threading
from collections import OrderedDict
from itertools import islice

from cachetools import LRUCache

REMEMBERED_HANDLES = 100_000
# Longer identifiers are not asked for: a few of them would make an address that no server accepts.
LONGEST_ASKED_FOR = 256


class Handles:
    """Handles by account. An account that was asked for and is not known is noted in `wanted`, for the directory.

    Several threads may ask: large frames are read in a thread of their own.
    """

    def __init__(self, most: int = REMEMBERED_HANDLES, most_wanted: int = 0) -> None:
        self.wanted: OrderedDict[str, None] = OrderedDict()
        self._most_wanted = most_wanted
        self._known: LRUCache[str, str | None] = LRUCache(most)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._known)

    def want(self, most: int) -> None:
        """Notes from now on up to so many accounts that are asked for and not known."""
        self._most_wanted = most

    def of(self, did: str) -> str | None:
        """Returns the handle of the account; None as long as it is not known, or where it has none."""
        with self._lock:
            if did in self._known:
                return self._known[did]
            if self._most_wanted and len(did) <= LONGEST_ASKED_FOR:
                self.wanted[did] = None
                self.wanted.move_to_end(did)
                if len(self.wanted) > self._most_wanted:
                    self.wanted.popitem(last=False)
            return None

    def learn(self, did: str, handle: str | None) -> None:
        """Sets the handle of the account; None: it has no valid one."""
        with self._lock:
            self.wanted.pop(did, None)
            self._known[did] = handle

    def next_wanted(self, most: int) -> list[str]:
        """Returns accounts to find out about, those met last first."""
        with self._lock:
            return list(islice(reversed(self.wanted), most))

    def forget(self, did: str) -> None:
        """Forgets the account."""
        with self._lock:
            self.wanted.pop(did, None)
            self._known.pop(did, None)
