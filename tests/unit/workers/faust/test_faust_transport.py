"""What is committed: the offset after the last message that was finished, and never anything else."""

import types
from typing import Any

import pytest
from faust_fakes import FakeThread, Message

from workers.faust.transport import Consumer

POSTS = ("posts", 0)


def consumer(thread: FakeThread, generation: int = 1) -> Any:
    made = Consumer.__new__(Consumer)
    made._thread = thread  # type: ignore[assignment]
    made._finished, made._committed = {}, {}
    made.app = types.SimpleNamespace(consumer_generation_id=generation)  # type: ignore[assignment]
    return made


async def test_it_commits_after_the_last_finished_message_and_only_once() -> None:
    thread = FakeThread({POSTS})
    one = consumer(thread)
    for offset in (5, 6, 7):
        one.finished(Message(offset=offset))
    assert await one.force_commit()
    assert not await one.force_commit()
    assert thread.commits == [{POSTS: 8}]


async def test_what_faust_acknowledges_by_itself_is_not_committed() -> None:
    thread = FakeThread({POSTS})
    one = consumer(thread)
    assert one.ack(Message(offset=41)) is False
    assert not await one.force_commit()
    assert thread.commits == []


async def test_a_message_of_an_earlier_generation_is_never_committed() -> None:
    thread = FakeThread({POSTS})
    one = consumer(thread, generation=2)
    one.finished(Message(offset=9, generation_id=1))
    assert not await one.force_commit()


async def test_a_failed_commit_is_tried_again() -> None:
    thread = FakeThread({POSTS})
    thread.works = False
    one = consumer(thread)
    one.finished(Message(offset=0))
    assert not await one.force_commit()
    thread.works = True
    assert await one.force_commit()
    assert thread.commits == [{POSTS: 1}, {POSTS: 1}]


async def test_a_partition_that_is_gone_is_not_committed() -> None:
    thread = FakeThread({("posts", 1)})
    one = consumer(thread)
    one.finished(Message(offset=3))
    one.finished(Message(offset=4, partition=1))
    assert await one.force_commit()
    assert thread.commits == [{("posts", 1): 5}]


@pytest.mark.parametrize("moment", ["revoked", "assigned"])
async def test_nothing_that_was_finished_outlives_a_rebalance(moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    thread = FakeThread({POSTS})
    one = consumer(thread)
    one.app.conf = types.SimpleNamespace(broker_heartbeat_interval=1)

    async def nothing(*_: Any) -> None: ...

    base = Consumer.__mro__[1]
    monkeypatch.setattr(base, f"on_partitions_{moment}", nothing)
    monkeypatch.setattr(base, "commit", lambda _: one.force_commit())
    one.finished(Message(offset=3))
    await getattr(one, f"on_partitions_{moment}")({POSTS})
    assert thread.commits == ([{POSTS: 4}] if moment == "revoked" else [])
    assert not await one.force_commit()
