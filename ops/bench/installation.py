"""Topics, indices and processes of one benchmark, on servers that others may use too; removed at its end."""

import asyncio
import os
import re
import sys
import uuid
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from urllib.parse import urlsplit

import httpx
from kafka import KafkaAdminClient

from ops.bench.processes import listener
from search.elastic.address import parse_address
from search.elastic.client import ElasticClient
from search.index import EntityIndex
from search.open import open_index
from tagstream.errors import BadSettings, Fatal
from tagstream.kafka.client import client_options
from tagstream.kafka.topics import open_topics
from tagstream.settings import Settings

_STARTED = re.compile(r"health at (\S+)/health/ready")


class Installation:
    """The commands of tagstream as an operator starts them, with topics and indices that nobody else has."""

    def __init__(self, settings: Settings, models: str, partitions: int) -> None:
        name = f"bench{uuid.uuid4().hex[:8]}"
        server = urlsplit(settings.index.removeprefix("elasticsearch:"))._replace(path=f"/{name}").geturl()
        self._settings = settings.model_copy(
            update={"index": f"elasticsearch:{server}", "topic_prefix": f"{name}.", "partitions": partitions}
        )
        self._models = models
        self._processes: list[Process] = []
        self._pages: list[str] = []
        self._environment = os.environ | {
            "TAGSTREAM_KAFKA": ",".join(settings.kafka),
            "TAGSTREAM_INDEX": self._settings.index,
            "TAGSTREAM_MODELS": models,
            "TAGSTREAM_TOPIC_PREFIX": self._settings.topic_prefix,
            "TAGSTREAM_PARTITIONS": str(partitions),
            "TAGSTREAM_WORKER_HTTP": "127.0.0.1:0",
        }

    async def index(self) -> EntityIndex:
        """Opens the index of this installation; the caller closes it."""
        return await open_index(self._settings.index, settings=self._settings)

    async def start(self, *command: str, feed: bool = False, output: bool = False, says: bool = False) -> Process:
        """Starts a command, with pipes for its standard streams where asked."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tagstream",
            *command,
            env=self._environment,
            stdin=PIPE if feed else DEVNULL,
            stdout=PIPE if output else DEVNULL,
            stderr=PIPE if says else DEVNULL,
        )
        self._processes.append(process)
        return process

    async def start_workers(self, number: int) -> dict[str, list[int]]:
        """Starts workers; returns the processes of each component, ours and the servers'.

        Raises:
            Fatal: a worker ended at once.
        """
        workers = [await self.start("worker", says=True) for _ in range(number)]
        for worker in workers:
            assert worker.stderr is not None
            said = ""
            while (started := _STARTED.search(said)) is None:
                line = (await worker.stderr.readline()).decode()
                if not line:
                    raise Fatal(f"a worker did not start: {said.strip()}")
                said += line
            self._pages.append(started[1])
        members = {"workers": [worker.pid for worker in workers]}
        for name, port in self._ports().items():
            server = listener(port)
            if server is not None:
                members[name] = [server]
        return members

    def _ports(self) -> dict[str, int]:
        settings = self._settings
        addresses = {
            "kafka": f"//{settings.kafka[0]}",
            "elasticsearch": settings.index.partition(":")[2],
            "triton": self._models if self._models.startswith("grpc:") else "",
        }
        ports = {name: urlsplit(address).port for name, address in addresses.items()}
        return {name: port for name, port in ports.items() if port is not None}

    async def fill(self) -> float | None:
        """Returns the average number of posts in a tag batch; None where the workers made no batch."""
        sums = {"tagstream_worker_batch_posts_total": 0.0, "tagstream_worker_batches_total": 0.0}
        async with httpx.AsyncClient() as client:
            for page in self._pages:
                for line in (await client.get(f"{page}/metrics")).text.splitlines():
                    name, _, value = line.rpartition(" ")
                    if (metric := name.partition("{")[0]) in sums and 'stage="tag"' in name:
                        sums[metric] += float(value)
        posts, batches = sums.values()
        return posts / batches if batches else None

    async def close(self) -> None:
        """Ends the processes, and removes the topics and the indices."""
        for process in self._processes:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.terminate()
        for process in self._processes:
            await process.communicate()
        await asyncio.to_thread(self._remove_topics)
        await self._remove_indices()

    def _remove_topics(self) -> None:
        with closing(KafkaAdminClient(**client_options(self._settings))) as admin:
            ours = {topic.name for topic in open_topics(self._settings)}
            if present := sorted(ours & set(admin.list_topics())):
                admin.delete_topics(present)

    async def _remove_indices(self) -> None:
        client = ElasticClient(parse_address(self._settings.index.partition(":")[2]), self._settings)
        prefix = client.names.prefix
        try:
            if names := sorted(await client.raw.indices.get(index=f"{prefix}-*")):
                await client.raw.indices.delete(index=names)
            await client.raw.indices.delete_index_template(name=f"{prefix}-*")
        finally:
            await client.close()


@asynccontextmanager
async def installation(settings: Settings, models: str, partitions: int) -> AsyncIterator[Installation]:
    """Opens an installation for one round.

    Raises:
        BadSettings: the index is not on a server.
    """
    refuse_other_than_elasticsearch(settings)
    bench = Installation(settings, models, partitions)
    try:
        yield bench
    finally:
        await bench.close()


def refuse_other_than_elasticsearch(settings: Settings) -> None:
    """Checks that the settings name Elasticsearch.

    Raises:
        BadSettings: it is not on a server.
    """
    if not settings.index.startswith("elasticsearch:"):
        raise BadSettings(
            f"--index {settings.index}: the stack is measured with elasticsearch:URL; `make stack-up` starts one and "
            f"writes its address to .stack/env"
        )
