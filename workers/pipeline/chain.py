"""Chains: stages joined one behind the other by channels, in one process or in one agent of a worker.

::

    source ─▶ stage ─▶ channel ─▶ stage ─▶ channel ─▶ … ─▶ stage ─▶ acknowledge

A channel holds one group of deliveries. So a slow stage slows the stage before it, and through it the source.
"""

import asyncio
from collections.abc import AsyncIterable, Callable, Sequence
from typing import Any

from tagstream.runtime.bounded_buffer import BoundedBuffer
from workers.pipeline.runner import Delivery, HandOver, StageRunner, worst
from workers.pipeline.settings import CHANNEL_GROUPS

Deliveries = AsyncIterable[Sequence[Delivery[Any]]]
Channel = BoundedBuffer[Sequence[Delivery[Any]]]


def _unchanged(hand_over: HandOver) -> HandOver:
    return hand_over


async def run_chain(
    source: Deliveries,
    runners: Sequence[StageRunner[Any, Any]],
    to: HandOver,
    *,
    between: Callable[[HandOver], HandOver] = _unchanged,
) -> None:
    """Runs the stages until the source ends and the last stage has handed all that it gave to `to`.

    `between` may change each hand-over from one stage to the next: to leave deliveries out, for instance.

    Raises:
        Fatal: from a stage, from `to` or from the source; the other stages are cancelled.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            for runner in runners[:-1]:
                channel: Channel = BoundedBuffer(CHANNEL_GROUPS)
                tasks.create_task(_feed(runner, source, channel, between))
                source = channel
            await runners[-1].run(source, to)
    except BaseExceptionGroup as group:
        error = worst(group)
        raise error from error.__cause__


async def _feed(
    runner: StageRunner[Any, Any], source: Deliveries, channel: Channel, between: Callable[[HandOver], HandOver]
) -> None:
    """Runs a stage whose results go into the channel, and closes the channel when the stage is done."""
    await runner.run(source, between(channel.put))
    channel.close()
