"""`tagstream worker`: the agents of the distributed pipeline, in this process."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import click

from search.open import opened_index
from tagstream.cli.console import note
from tagstream.cli.errors import say
from tagstream.cli.options import (
    TagstreamCommand,
    current_settings,
    index_option,
    kafka_option,
    models_option,
    run_until_stopped,
)
from tagstream.errors import Fatal
from tagstream.runtime.daemon_thread_pool import leave
from workers.open_models import load_tagger, open_image_model

# A Kafka client whose broker is away may not let go for as long as its own time-outs last.
LINGER_SECONDS = 1.0


@click.command("worker", cls=TagstreamCommand)
@index_option
@models_option
@kafka_option("The brokers. [default: the setting kafka]")
def worker(index_spec: str | None, models_spec: str | None, kafka: str | None) -> None:
    """Tag and index what `tagstream ingest` puts on Kafka, until SIGTERM or Ctrl-C.

    Start as many as you like: they share the partitions. One that is stopped finishes what it has in flight, and ends
    with 0; one that is killed loses nothing. While the index or the model server is down, all wait.
    """
    settings = current_settings(index=index_spec, models=models_spec, kafka=kafka)
    from tagstream.kafka.admin import ensure_topics
    from tagstream.kafka.topics import open_topics
    from workers.worker import run_worker

    ensure_topics(settings, open_topics(settings))
    image_model, tagger = open_image_model(settings), load_tagger(settings)

    async def work(stop: asyncio.Event) -> int:
        with leaving_anyway():
            async with opened_index(settings, create=True) as index:
                return await run_worker(settings, image_model, tagger, index, stop=stop, say=note)

    unfinished = run_until_stopped(work, is_service=True)
    rest = f"; {unfinished:,} records in flight were not finished and will be read again" if unfinished else ""
    note(f"stopped{rest}")


@contextmanager
def leaving_anyway() -> Iterator[None]:
    """Ends the process soon after the body, with the code that it would have had, even if a client holds on."""
    code, message = 0, ""
    try:
        yield
    except Fatal as error:
        code, message = error.exit_code, f"error: {error}"
        raise
    finally:
        timer = threading.Timer(LINGER_SECONDS, _leave, (code, message))
        timer.daemon = True
        timer.start()


def _leave(code: int, message: str) -> None:
    if message:
        say(message)
    leave(code)
