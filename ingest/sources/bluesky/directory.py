"""Requests for the handles of unknown accounts, to a public directory, beside the feed and never in its way.

::

    Handles.wanted ─▶ 25 at a time, a pause between ─▶ app.bsky.actor.getProfiles ─▶ Handles.learn

Nothing waits for an answer: a post whose author is not known yet is stored without a handle, and the next one has it.
The address is a setting; no post and no server leads anywhere else. A directory that fails, wants a pause or cannot be
reached is left alone for twice as long each time, for up to an hour, and as long as it says. A directory may refuse a
request because of one account in it: the request is halved until that account is alone, and is no longer asked for.
Several of those in a row are no accounts, but a directory that refuses everything: that is a failure.
"""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import aiohttp

from ingest.sources.bluesky.handles import Handles
from ingest.sources.bluesky.identifiers import did_of, handle_of
from ingest.sources.network.source import USER_AGENT, retry_after_seconds
from tagstream.runtime.backoff import BackOff

# The number of accounts that may wait for an answer; those met last are asked for first.
MOST_WANTED = 10_000
ACCOUNTS_A_REQUEST = 25
_LARGEST_ANSWER_BYTES = 2 * 1024 * 1024
_ASK_SECONDS = 20.0
# Statuses that refuse us, or the moment, and no account.
_OF_NO_ACCOUNT = frozenset({401, 407, 408, 425, 426, 429})
_REFUSED_IN_A_ROW = 3


class Directory:
    """One directory, asked one request at a time. The public one allows five times as many requests."""

    def __init__(
        self,
        address: str,
        handles: Handles,
        *,
        seconds_between: float = 0.5,
        first_pause_seconds: float = 30.0,
        longest_pause_seconds: float = 3600.0,
    ) -> None:
        self._address = address.rstrip("/")
        self._handles = handles
        self._seconds_between = seconds_between
        self._back_off = BackOff(first_pause_seconds, longest_pause_seconds)
        self._failures = 0
        self._at_a_time = ACCOUNTS_A_REQUEST
        self._refused = 0
        self._not_before = 0.0
        handles.want(MOST_WANTED)

    async def ask_for_ever(self) -> None:
        """Asks for wanted handles until it is cancelled; called again, it goes on with the same patience."""
        now = asyncio.get_running_loop().time
        async with aiohttp.ClientSession(headers={"User-Agent": USER_AGENT}) as session:
            while True:
                await asyncio.sleep(max(self._seconds_between, self._not_before - now()))
                wanted = self._handles.next_wanted(self._at_a_time)
                if wanted:
                    self._not_before = now() + await self._ask(session, wanted)

    async def _ask(self, session: aiohttp.ClientSession, accounts: Sequence[str]) -> float:
        """Learns the handles of the accounts; returns for how many seconds to leave the directory alone."""
        url = f"{self._address}/xrpc/app.bsky.actor.getProfiles"
        asked = None
        try:
            async with (
                asyncio.timeout(_ASK_SECONDS),
                session.get(url, params=[("actors", did) for did in accounts], allow_redirects=False) as response,
            ):
                if response.status == 200:
                    self._learn(accounts, await _answer(response))
                    self._failures = self._refused = 0
                    self._at_a_time = min(ACCOUNTS_A_REQUEST, 2 * self._at_a_time)
                    return 0.0
                if 400 <= response.status < 500 and response.status not in _OF_NO_ACCOUNT and self._narrow(accounts):
                    return 0.0
                asked = retry_after_seconds(response.headers.get("Retry-After"))
        except (aiohttp.ClientError, OSError, ValueError, RecursionError):
            pass  # the directory is left alone for a while, whatever is wrong with it
        self._failures += 1
        return min(max(self._back_off.full(self._failures), asked or 0.0), self._back_off.longest_seconds)

    def _narrow(self, accounts: Sequence[str]) -> bool:
        """Asks for half as many accounts, or no longer for the one that is refused.

        Returns False if that happens too often.
        """
        if len(accounts) > 1:
            self._at_a_time = len(accounts) // 2
            return True
        self._refused += 1
        self._handles.learn(accounts[0], None)
        return self._refused < _REFUSED_IN_A_ROW

    def _learn(self, accounts: Sequence[str], answer: object) -> None:
        profiles = answer.get("profiles") if isinstance(answer, dict) else None
        given: dict[str, str | None] = dict.fromkeys(accounts)
        for profile in profiles if isinstance(profiles, list) else ():
            did = did_of(profile.get("did")) if isinstance(profile, dict) else None
            if did in given:
                given[did] = handle_of(profile.get("handle"))
        for did, handle in given.items():
            # The network's own word meanwhile is newer; an account unknown to the directory is not asked for again.
            if did in self._handles.wanted:
                self._handles.learn(did, handle)


async def _answer(response: aiohttp.ClientResponse) -> Any:
    body = bytearray()
    async for piece in response.content.iter_chunked(64 * 1024):
        body += piece
        if len(body) > _LARGEST_ANSWER_BYTES:
            raise ValueError("too large an answer")
    return json.loads(body)
