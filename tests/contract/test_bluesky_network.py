"""What the index holds after a network has lived is what the network shows, record by record.

A small Bluesky lives on while the whole pipeline reads it; connections drop, servers restart and change, runs are
killed and go on. At the end the index is compared with the network's own state, which knows no code of the product.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bluesky_world import START_US, World, tid
from jetstream_server import SECOND, JetstreamServer
from network_contract import QUICK, until
from network_server import Drop, Fault, HalfFrame, Refuse, Stall

from ingest.sources.bluesky.connection import JetstreamLimits
from ingest.sources.bluesky.options import read_options
from ingest.sources.bluesky.source import BlueskySource
from search.index import SourceCursor
from search.sqlite.index import SqliteIndex
from tagstream.posts import TaggedPost
from tagstream.runtime.backoff import BackOff
from workers.local import run_pipeline
from workers.pipeline.settings import StageSettings
from workers.tagger.stub import StubTagger

LIMITS = JetstreamLimits(connect_seconds=5.0, silence_seconds=0.5)
SETTINGS = StageSettings(
    batch_deadline_seconds=0.001,
    index_deadline_seconds=0.001,
    progress_seconds=60.0,
    stop_seconds=10.0,
    back_off=BackOff(0.001, 0.01),
)
# After all that the network dates, so that no post is older by its own clock than by ours.
NOW = datetime(2024, 5, 20, tzinfo=UTC)


@dataclass
class Site:
    """A network, its two servers, and the index of one who reads them."""

    world: World
    servers: tuple[JetstreamServer, JetstreamServer]
    index: SqliteIndex
    path: str = ""

    @property
    def name(self) -> str:
        return self.source().name

    def source(self) -> BlueskySource:
        addresses = ",".join(server.url + self.path for server in self.servers)
        return BlueskySource(read_options(f"bluesky:{addresses}?quiet=1"), limits=LIMITS, reconnecting=QUICK)

    async def live(self, steps: int) -> None:
        self.world.live(steps)
        for server in self.servers:
            await server.follow()

    async def begin(self) -> None:
        """Puts the cursor before the first event."""
        place = f"{START_US}@127.0.0.1:{self.servers[0].port}"
        await self.index.write([], SourceCursor(self.name, place))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[asyncio.Event]:
        """The pipeline runs; it is stopped in order at the end."""
        stop = asyncio.Event()
        run = asyncio.create_task(
            run_pipeline(self.source(), StubTagger(), self.index, settings=SETTINGS, stop=stop, now=lambda: NOW)
        )
        try:
            yield stop
        finally:
            stop.set()
            await run

    async def read_to_the_end(self) -> None:
        """Waits until a last post, written now, is in the index."""
        marker = self.world.write_post(self.world.accounts[0])
        for server in self.servers:
            await server.follow()
        last = f"bluesky:{self.world.accounts[0].did}/{marker}"

        async with asyncio.timeout(30):
            while last not in await self.held():  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def held(self) -> dict[str, TaggedPost]:
        return {post.id: post async for post in self.index.documents(with_hidden=True)}

    async def shown(self) -> dict[str, TaggedPost]:
        return {post.id: post async for post in self.index.documents()}

    async def assert_is_the_network(self) -> None:
        shown, expected = await self.shown(), self.world.visible()
        assert sorted(shown) == sorted(expected)
        for id_, stored in expected.items():
            post = shown[id_]
            assert post.text == stored.record["text"]
            assert tid(post.revision, clock=7) == stored.rev
            assert post.author is not None
            assert post.author.id == id_.removeprefix("bluesky:").partition("/")[0]
            assert post.created_at == datetime.fromisoformat(stored.record["createdAt"])
        assert [letter async for letter in self.index.dead_letters()] == []
        assert self.world.failures == []


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    world = World(seed=20)
    # The first server's clock is five seconds ahead, the second's seven behind.
    servers = (JetstreamServer(world, clock_us=5_000_000), JetstreamServer(world, clock_us=-7_000_000))
    for server in servers:
        await server.start()
    index = await SqliteIndex.open(tmp_path / "index.db")
    yield Site(world, servers, index)
    await index.close()
    for server in servers:
        await server.stop()


async def test_a_network_is_mirrored(site: Site) -> None:
    await site.begin()
    await site.live(400)
    async with site.reading():
        await site.live(200)
        await site.read_to_the_end()
    kinds = {(event["kind"], event.get("commit", {}).get("operation")) for event in site.world.events}
    assert kinds == {("commit", one) for one in ("create", "update", "delete")} | {
        ("identity", None),
        ("account", None),
    }
    assert any(account.hidden for account in site.world.accounts)
    assert len(await site.held()) > len(await site.shown())
    await site.assert_is_the_network()


async def test_a_network_is_mirrored_over_drops_restarts_and_changes_of_server(site: Site) -> None:
    await site.begin()
    faults: list[Fault] = [Drop(20), HalfFrame(35), Refuse(503), Drop(0), Stall(30), Drop(60)]
    site.servers[0].faults.extend(faults)
    site.servers[1].faults.extend([Drop(25), Refuse(429, "0"), HalfFrame(50), Drop(1)])
    await site.live(300)
    async with site.reading():
        for _ in range(4):
            await site.live(40)
            await site.servers[0].stop()
            await until(lambda: site.servers[1].open_connections > 0)
            await site.servers[0].start()
            await site.servers[1].stop()
            await until(lambda: site.servers[0].open_connections > 0)
            await site.servers[1].start()
        await site.read_to_the_end()
    assert len(site.servers[0].attempts) > 4
    assert len(site.servers[1].attempts) > 4
    await site.assert_is_the_network()


async def test_runs_that_are_killed_go_on_from_what_they_saved(site: Site) -> None:
    await site.begin()
    await site.live(300)
    for delay in (0.02, 0.05, 0.1, 0.15):
        run = asyncio.create_task(
            run_pipeline(site.source(), StubTagger(), site.index, settings=SETTINGS, now=lambda: NOW)
        )
        await asyncio.sleep(delay)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        await site.live(30)
    async with site.reading():
        await site.read_to_the_end()
    await site.assert_is_the_network()


async def test_what_is_read_twice_changes_nothing(site: Site) -> None:
    """All of the network's history again, in order, over what is stored."""
    await site.begin()
    await site.live(300)
    async with site.reading():
        await site.read_to_the_end()
    before = await site.held()
    await site.begin()
    async with site.reading():
        await site.read_to_the_end()
    await site.assert_is_the_network()
    after = await site.held()
    assert {id_: post for id_, post in after.items() if id_ in before} == before


async def test_a_post_created_anew_under_a_deleted_key_lives(site: Site) -> None:
    await site.begin()
    account = site.world.accounts[2]
    key = site.world.write_post(account)
    site.world.delete_post(account, key)
    site.world.write_post(account, key, site.world.record("born again in Paris"))
    async with site.reading():
        await site.read_to_the_end()
    assert (await site.shown())[f"bluesky:{account.did}/{key}"].text == "born again in Paris"
    await site.assert_is_the_network()


async def test_an_account_that_was_deleted_and_came_back_keeps_what_it_wrote_since(site: Site) -> None:
    await site.begin()
    account = site.world.accounts[3]
    site.world.write_post(account)
    site.world.set_status(account, False, "deleted")
    site.world.set_status(account, True)
    key = site.world.write_post(account, record=site.world.record("back again"))
    async with site.reading():
        await site.read_to_the_end()
    assert [id_ for id_ in await site.shown() if account.did in id_] == [f"bluesky:{account.did}/{key}"]
    await site.assert_is_the_network()


async def test_posts_that_went_without_a_word_go_when_their_account_is_counted_anew(site: Site) -> None:
    """Some go, some stay, and one was edited meanwhile: the second form tells of it, all that is left comes again."""
    site.path = f"/xrpc/{SECOND}"
    await site.begin()
    await site.live(100)
    account, empty = site.world.accounts[2], site.world.accounts[5]
    for one in (account, empty):
        site.world.set_status(one, True)
    keys = [site.world.write_post(account) for _ in range(6)]
    site.world.write_post(empty)
    async with site.reading():
        await site.read_to_the_end()
        before = await site.held()
        site.world.sync(account, silently_deleted=keys[:3])
        site.world.edit_post(account, keys[4])
        site.world.sync(empty, silently_deleted=list(empty.posts))
        site.world.write_post(empty)
        await site.read_to_the_end()
    gone = {f"bluesky:{account.did}/{key}" for key in keys[:3]}
    assert gone <= set(before)
    assert not gone & set(await site.held())
    await site.assert_is_the_network()


async def test_what_one_server_gave_another_erases_and_shows_again_although_its_clock_is_behind(site: Site) -> None:
    await site.begin()
    gone, back = site.world.accounts[1], site.world.accounts[4]
    async with site.reading():
        site.world.write_post(gone)
        kept = site.world.write_post(back)
        site.world.set_status(back, False, "deactivated")
        await site.read_to_the_end()
        assert f"bluesky:{gone.did}" in " ".join(await site.shown())
        await site.servers[0].stop()
        await until(lambda: site.servers[1].open_connections > 0)
        site.world.set_status(gone, False, "deleted")
        site.world.set_status(back, True)
        await site.read_to_the_end()
        assert f"bluesky:{gone.did}" not in " ".join(await site.held())
        assert f"bluesky:{back.did}/{kept}" in await site.shown()
        await site.servers[0].start()
    await site.assert_is_the_network()
