"""The contract of a source behind a network, on a server that does as a script tells it.

Each scenario has a number:

1 events arrive whole and in order      5 silence is death, a heartbeat is life     9 a cancelled read loses nothing
2 resume loses nothing                  6 garbage is a dead letter                  10 a slow reader slows the network
3 a lost connection is opened again     7 an endless frame is refused               11 refused credentials are fatal
4 Retry-After is kept to                8 close is prompt and leaves nothing        12 nobody listens
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from network_server import (
    Drop,
    Endless,
    Fault,
    Garbage,
    HalfFrame,
    Heartbeats,
    Refuse,
    ScriptedServer,
    Stall,
    first_occurrences,
)

from ingest.sources.network.source import QUEUED_EVENTS, FeedUnavailable, NetworkSource, Reconnecting
from tagstream.errors import Fatal
from tagstream.posts import DeadLetter
from tagstream.source import Received

# What a network's test gives to its source. The chance of 1 makes every delay its longest, so it can be counted on.
QUICK = Reconnecting(first_seconds=0.02, longest_seconds=0.08, chance=lambda: 1.0)
SILENCE_SECONDS = 0.6
LARGEST_FRAME_BYTES = 256 * 1024
# What may lie in the buffers of both ends of a loopback connection beside a frame.
SOCKET_BYTES = 24 * 1024 * 1024
PROMPTLY_SECONDS = 3.0
PATIENCE_SECONDS = 30.0


async def read_ids(source: NetworkSource, count: int) -> list[str]:
    """The ids of the next posts, as many as there are different ones; attempts that failed are gone over."""
    ids: list[str] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(set(ids)) < count:
            ids += [identity(one) for one in await read(source, 100)]
    return ids


async def read(source: NetworkSource, limit: int) -> list[Received]:
    """The next batch, however many attempts to connect it takes; it must not be empty."""
    while True:
        try:
            batch = list(await source.next_batch(limit))
        except FeedUnavailable:
            continue
        assert batch, f"{source.name} says that the feed has ended"
        assert len(batch) <= limit
        return batch


def identity(received: Received) -> str:
    event = received.event
    return f"dead:{event.origin}" if isinstance(event, DeadLetter) else getattr(event, "id", "")


class NetworkContract:
    """Inherit from it in a class named Test..., with an asynchronous fixture `server`: a new, running fake server.

    `make_source` makes a new source against it, with `QUICK`, `SILENCE_SECONDS` and `LARGEST_FRAME_BYTES`.

    What a network cannot promise it declares: `overlap` is how many events before a cursor a resume may repeat;
    `has_heartbeats` whether its protocol has signs of life; `has_frames` whether an event can come in half.
    """

    overlap = 0
    has_heartbeats = True
    has_frames = True

    def make_source(self, server: ScriptedServer) -> NetworkSource:
        raise NotImplementedError

    @asynccontextmanager
    async def reading(self, server: ScriptedServer, cursor: str | None) -> AsyncIterator[NetworkSource]:
        """A source that reads from a cursor; nothing of it is left afterwards."""
        before = asyncio.all_tasks()
        source = self.make_source(server)
        await source.open(cursor)
        try:
            yield source
        finally:
            async with asyncio.timeout(PROMPTLY_SECONDS):
                await source.close()
            await until(lambda: server.open_connections == 0)
            await until(lambda: not {one for one in asyncio.all_tasks() - before if _is_ours(one)})

    async def begin(self, server: ScriptedServer) -> str:
        """The cursor of an event before all others, so that nothing depends on where a network begins by itself."""
        source = self.make_source(server)
        await source.open(None)
        reader = asyncio.create_task(read(source, 1))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await until(lambda: server.open_connections > 0 or reader.done())
                await server.publish(1)
                (first,) = await reader
        finally:
            reader.cancel()
            await source.close()
        await until(lambda: server.open_connections == 0)
        server.attempts.clear()
        return first.cursor

    def assert_follows(self, ids: list[str], expected: list[str], before: list[str]) -> None:
        """That `ids` are the expected ones in order, after at most `overlap` of those before."""
        repeated = [one for one in ids if one in before]
        assert len(repeated) <= self.overlap
        assert first_occurrences([one for one in ids if one not in before]) == expected

    async def test_1_events_arrive_whole_and_in_order(self, server: ScriptedServer) -> None:
        begin = await self.begin(server)
        expected = await server.publish(20)
        async with self.reading(server, begin) as source:
            ids = await read_ids(source, 20)
            expected += await server.publish(20)
            ids += await read_ids(source, 20)
        self.assert_follows(ids, expected, [server.event_id(0)])
        assert len(server.attempts) == 1

    async def test_2_resume_from_any_cursor_loses_nothing(self, server: ScriptedServer) -> None:
        begin = await self.begin(server)
        expected = await server.publish(6)
        async with self.reading(server, begin) as source:
            received: list[Received] = []
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not received or identity(received[-1]) != expected[-1]:
                    received += await read(source, 2)
        expected += await server.publish(3)
        everything = [server.event_id(0), *expected]
        for one in received:
            place = everything.index(identity(one)) + 1
            async with self.reading(server, one.cursor) as source:
                ids: list[str] = []
                async with asyncio.timeout(PATIENCE_SECONDS):
                    while not ids or ids[-1] != expected[-1]:
                        ids += [identity(one) for one in await read(source, 100)]
            self.assert_follows(ids, everything[place:], everything[:place])

    async def test_2b_what_was_queued_but_not_taken_is_given_again(self, server: ScriptedServer) -> None:
        begin = await self.begin(server)
        expected = await server.publish(30)
        async with self.reading(server, begin) as source:
            taken = [await read(source, 1) for _ in range(5)]
            ids = [identity(one) for batch in taken for one in batch]
            await until(lambda: source.queued > 0)
        async with self.reading(server, taken[-1][0].cursor) as source:
            ids += await read_ids(source, len(expected) - len(set(ids) & set(expected)))
        assert set(ids) >= set(expected)
        assert [one for one in first_occurrences(ids) if one in expected] == expected

    @pytest.mark.parametrize("fault", [Drop, HalfFrame])
    async def test_3_a_lost_connection_is_opened_again(
        self, server: ScriptedServer, fault: Callable[[int], Fault]
    ) -> None:
        if fault is HalfFrame and not self.has_frames:
            pytest.skip("an event cannot come in half")
        begin = await self.begin(server)
        server.faults.extend([fault(3), fault(3 + self.overlap)])
        expected = await server.publish(20)
        async with self.reading(server, begin) as source:
            ids = [one for one in await read_ids(source, 20) if one in expected]
        assert first_occurrences(ids) == expected
        assert len(ids) <= len(expected) + 2 * self.overlap, "each connection goes on where the last one ended"
        assert len(server.attempts) == 3

    async def test_3b_refusals_are_met_with_a_growing_delay(self, server: ScriptedServer) -> None:
        begin = await self.begin(server)
        server.faults.extend([Refuse(503)] * 5)
        expected = await server.publish(3)
        failures = 0
        async with self.reading(server, begin) as source, asyncio.timeout(PATIENCE_SECONDS):
            ids: list[str] = []
            while len(set(ids) & set(expected)) < 3:
                try:
                    ids += [identity(one) for one in await source.next_batch(100)]
                except FeedUnavailable:
                    failures += 1
        assert failures == 5
        waits = [later - earlier for earlier, later in zip(server.attempts, server.attempts[1:], strict=False)]
        assert len(waits) == 5
        for wait, least in zip(waits, (0.02, 0.04, 0.08, 0.08, 0.08), strict=True):
            assert wait >= least * 0.9

    async def test_3_no_attempt_leaves_its_connection_behind(self, server: ScriptedServer) -> None:
        """Half-open, refused and lost ones in turn, so that one is given up while another is still closing."""
        begin = await self.begin(server)
        faults: list[Fault] = [Stall(1), Drop(1), Stall(0), Refuse(503), Drop(0), Stall(1), Refuse(429, "0")]
        server.faults.extend([*faults, Endless(0)])
        await server.publish(20)
        async with self.reading(server, begin) as source:
            reader = asyncio.create_task(_read_quietly(source))
            await until(lambda: source.counts()["reconnect"] == len(faults) + 1)
            await until(lambda: server.open_connections == 1)
            await until(lambda: client_sockets(server.port) == 1)
            await source.close()
            await reader
        await until(lambda: client_sockets(server.port) == 0)

    async def test_3_while_it_stays_away_nothing_is_open(self, server: ScriptedServer) -> None:
        begin = await self.begin(server)
        server.faults.extend([Stall(0), Refuse(503, "60")])
        async with self.reading(server, begin) as source:
            reader = asyncio.create_task(_read_quietly(source))
            await until(lambda: len(server.attempts) == 2)
            await until(lambda: client_sockets(server.port) == 0)
            await source.close()
            await reader

    async def test_3_what_it_counts_has_its_names_from_the_start(self, server: ScriptedServer) -> None:
        source = self.make_source(server)
        names = list(source.counts())
        assert not any(source.counts().values())
        begin = await self.begin(server)
        await server.publish(3)
        server.faults.append(Refuse(503))
        async with self.reading(server, begin) as reading:
            await read_ids(reading, 3)
            assert list(reading.counts()) == names
            assert reading.counts() == {**dict.fromkeys(names, 0), "reconnect": 1}

    async def test_3c_an_accepting_server_that_drops_at_once_is_not_hammered(self, server: ScriptedServer) -> None:
        begin = await self.begin(server)
        server.faults.extend([Drop(0)] * 5)
        await server.publish(3)
        async with self.reading(server, begin) as source:
            await read_ids(source, 3)
        assert len(server.attempts) == 6
        assert server.attempts[-1] - server.attempts[0] >= 0.9 * (0.02 + 0.04 + 3 * 0.08)

    @pytest.mark.parametrize("status", [429, 503])
    async def test_4_retry_after_is_kept_to(self, server: ScriptedServer, status: int) -> None:
        begin = await self.begin(server)
        server.faults.append(Refuse(status, retry_after="1"))
        await server.publish(1)
        async with self.reading(server, begin) as source, asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(FeedUnavailable) as refused:
                await source.next_batch(10)
            await read_ids(source, 1)
        assert refused.value.retry_after_seconds == 1.0
        assert server.attempts[1] - server.attempts[0] >= 0.99

    async def test_4b_a_retry_after_that_makes_no_sense_is_passed_over(self, server: ScriptedServer) -> None:
        begin = await self.begin(server)
        server.faults.extend(Refuse(429, retry_after=said) for said in ("soon", "-5", "9" * 400, "nan"))
        await server.publish(1)
        async with self.reading(server, begin) as source:
            await read_ids(source, 1)
        assert len(server.attempts) == 5

    async def test_5_silence_is_death(self, server: ScriptedServer) -> None:
        begin = await self.begin(server)
        server.faults.append(Stall(3))
        expected = await server.publish(10)
        async with self.reading(server, begin) as source:
            ids = await read_ids(source, 10)
        assert [one for one in first_occurrences(ids) if one in expected] == expected
        assert len(server.attempts) == 2
        assert server.attempts[1] - server.attempts[0] >= SILENCE_SECONDS * 0.9

    async def test_5b_a_heartbeat_is_life(self, server: ScriptedServer) -> None:
        if not self.has_heartbeats:
            pytest.skip("the protocol has no sign of life")
        begin = await self.begin(server)
        server.faults.append(Heartbeats(3))
        expected = await server.publish(10)
        async with self.reading(server, begin) as source:
            ids = await read_ids(source, 3)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(3 * SILENCE_SECONDS):
                    ids += [identity(one) for one in await source.next_batch(100)]
            server.resume.set()
            ids += await read_ids(source, 7)
        assert [one for one in first_occurrences(ids) if one in expected] == expected
        assert len(server.attempts) == 1

    async def test_6_garbage_is_a_dead_letter_and_the_rest_goes_on(self, server: ScriptedServer) -> None:
        begin = await self.begin(server)
        expected = await server.publish(10)
        letters = []
        for _ in range(2):
            server.faults.append(Garbage(4))
            received: list[Received] = []
            async with self.reading(server, begin) as source, asyncio.timeout(PATIENCE_SECONDS):
                while not received or identity(received[-1]) != expected[-1]:
                    received += await read(source, 100)
            assert [identity(one) for one in received if identity(one) in expected] == expected
            letters += [one.event for one in received if isinstance(one.event, DeadLetter)]
        assert len(letters) == 2
        assert letters[0] == letters[1], "its origin must be the same whenever the same garbage comes"
        assert letters[0].body
        assert letters[0].cause
        assert letters[0].message
        assert len(server.attempts) == 2

    async def test_7_an_endless_frame_is_refused_in_bounded_memory(self, server: ScriptedServer) -> None:
        begin = await self.begin(server)
        server.faults.append(Endless(3))
        expected = await server.publish(10)
        async with self.reading(server, begin) as source:
            received: list[Received] = []
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not received or identity(received[-1]) != expected[-1]:
                    received += await read(source, 100)
        ids = [identity(one) for one in received]
        assert [one for one in first_occurrences(ids) if one in expected] == expected
        assert 0 < server.endless_bytes <= LARGEST_FRAME_BYTES + SOCKET_BYTES

    @pytest.mark.parametrize("fault", [None, Refuse(503, "60"), Stall(0), Heartbeats(0), Endless(0)])
    async def test_8_close_is_prompt_in_every_state(self, server: ScriptedServer, fault: Fault | None) -> None:
        begin = await self.begin(server)
        if fault is not None:
            server.faults.append(fault)
        async with self.reading(server, begin) as source:
            reader = asyncio.create_task(_read_quietly(source))
            await until(lambda: bool(server.attempts))
            await asyncio.sleep(0.05)
            async with asyncio.timeout(PROMPTLY_SECONDS):
                await source.close()
                await source.close()
                await reader

    async def test_8b_a_source_that_never_read_closes(self, server: ScriptedServer) -> None:
        source = self.make_source(server)
        await source.close()
        source = self.make_source(server)
        await source.open(None)
        await source.close()
        assert server.attempts == []

    async def test_8c_close_is_prompt_with_a_full_queue(self, server: ScriptedServer) -> None:
        begin = await self.begin(server)
        await server.publish(QUEUED_EVENTS + 500)
        async with self.reading(server, begin) as source:
            await read(source, 1)
            await until(lambda: source.queued == QUEUED_EVENTS)

    async def test_9_a_cancelled_read_loses_nothing(self, server: ScriptedServer) -> None:
        begin = await self.begin(server)
        expected = await server.publish(1)
        server.faults.append(Drop(60))
        ids: list[str] = []
        async with self.reading(server, begin) as source, asyncio.timeout(PATIENCE_SECONDS):
            for round_ in range(40):
                expected += await server.publish(3)
                reader = asyncio.create_task(source.next_batch(2))
                for _ in range(round_ % 7):
                    await asyncio.sleep(0)
                reader.cancel()
                (result,) = await asyncio.gather(reader, return_exceptions=True)
                if not isinstance(result, BaseException):
                    ids += [identity(one) for one in result]
            while not ids or ids[-1] != expected[-1]:
                ids += [identity(one) for one in await read(source, 50)]
        assert [one for one in first_occurrences(ids) if one in expected] == expected

    async def test_10_a_slow_reader_slows_the_network(self, server: ScriptedServer) -> None:
        begin = await self.begin(server)
        expected = await server.publish(2 * QUEUED_EVENTS + 10)
        async with self.reading(server, begin) as source:
            ids = [identity(one) for one in await read(source, 1)]
            await until(lambda: source.queued == QUEUED_EVENTS)
            await asyncio.sleep(0.1)
            assert source.queued == QUEUED_EVENTS
            async with asyncio.timeout(PATIENCE_SECONDS):
                while ids[-1] != expected[-1]:
                    ids += [identity(one) for one in await read(source, 500)]
        self.assert_follows(ids, expected, [server.event_id(0)])
        assert len(server.attempts) == 1

    @pytest.mark.parametrize("status", [401, 403])
    async def test_11_refused_credentials_are_fatal(self, server: ScriptedServer, status: int) -> None:
        server.faults.append(Refuse(status))
        async with self.reading(server, None) as source, asyncio.timeout(PATIENCE_SECONDS):
            for _ in range(2):
                with pytest.raises(Fatal):
                    await source.next_batch(10)
        assert len(server.attempts) == 1

    async def test_12_where_nobody_listens_it_waits(self, server: ScriptedServer) -> None:
        begin = await self.begin(server)
        await server.stop()
        async with self.reading(server, begin) as source, asyncio.timeout(PATIENCE_SECONDS):
            for _ in range(3):
                with pytest.raises(FeedUnavailable):
                    await source.next_batch(10)


async def _read_quietly(source: NetworkSource) -> None:
    """Reads until the source is closed."""
    while True:
        try:
            if not await source.next_batch(10):
                return
        except FeedUnavailable:
            pass


def _is_ours(task: asyncio.Task[object]) -> bool:
    """Whether the task runs code of the sources; a fake server's own tasks may outlive a client for a moment."""
    frames = [frame.f_code.co_filename for frame in task.get_stack()]
    return any("/ingest/" in name for name in frames)


def client_sockets(port: int) -> int:
    """How many TCP connections to that port of loopback their client has not closed."""
    lines = [line.split() for line in Path("/proc/self/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    not_closed = ("01", "08")  # established, and closed by the server only
    return sum(int(line[2].partition(":")[2], 16) == port and line[3] in not_closed for line in lines)


async def until(condition: Callable[[], bool]) -> None:
    """Waits for the condition, patiently."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
