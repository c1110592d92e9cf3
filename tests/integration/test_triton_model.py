"""Tagging through the real Triton server: the same answers as in process, to the bit, and no post lost to a fault."""

import asyncio
import re
import shutil
import threading
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import pairwise
from time import monotonic, sleep

import numpy as np
import pytest
from tiny_exports import write_tiny_tagger
from tiny_taggers import VOCABULARY
from tritonclient import grpc

from ingest.sources.open import open_source
from ops.stack.triton import Triton
from search.open import open_index
from tagstream.errors import ModelUnavailable
from tagstream.posts import Post
from tagstream.runtime.backoff import BackOff
from tagstream.settings import REPOSITORY, Settings
from training.triton_config import configuration
from workers.local import run_pipeline
from workers.models.repository import open_version
from workers.open_models import open_tagger
from workers.pipeline.settings import StageSettings
from workers.tagger.encoding import BUCKET, FEATURE_ROWS, FEATURES, MAX_LENGTH, ModelInput

SHIPPED = REPOSITORY / "triton_models"
SHIPPED_VERSION = open_version(SHIPPED).version
FEED = "simulate:11?posts=400"
# Eight batches of 16 posts take two slow cores three seconds: under a shorter deadline none is ever answered.
SHORT_DEADLINE = 6
QUICK = StageSettings(batch_posts=16, progress_seconds=0.05, back_off=BackOff(0.05, 0.2))


def open_remote(server, **settings):
    return open_tagger(Settings(models=server.specification, emission_cache_bytes=0, **settings))


@pytest.fixture(scope="module")
def local():
    return open_tagger(Settings(inference_threads=2, emission_cache_bytes=0))


@pytest.fixture(scope="module")
def remote(triton):
    tagger = open_remote(triton, model_deadline_seconds=120)  # a busy machine is not what is tested here
    yield tagger
    tagger.network.close()


@pytest.fixture(scope="module")
def posts():
    return asyncio.run(read_posts("simulate:7?posts=350"))


async def read_posts(specification):
    source = open_source(specification)
    await source.open(None)
    found = []
    while batch := await source.next_batch(256):
        found += [received.event for received in batch if isinstance(received.event, Post)]
    await source.close()
    return found


def counters(server):
    """What the server counts, summed over versions."""
    with urllib.request.urlopen(server.metrics_url, timeout=10) as answer:
        lines = re.findall(r"^(nv_inference_\w+)\{.*\} ([\d.e+]+)$", answer.read().decode(), re.MULTILINE)
    found = Counter()
    for name, value in lines:
        found[name] += float(value)
    return found


def rows_of(batch, rows):
    return ModelInput(batch.pieces[rows], batch.segments[rows], batch.features[rows])


def noise(rows, length, pieces):
    """Rows of many lengths, padded to one, of pieces that stand beside each other nowhere else."""
    dice = np.random.default_rng((rows, length))
    filled = np.arange(length) < dice.integers(3, length + 1, (rows, 1))
    return ModelInput(
        (dice.integers(1, pieces, (rows, length)) * filled).astype(np.int32),
        (dice.integers(0, 3, (rows, length)) * filled).astype(np.int32),
        (dice.integers(1, FEATURE_ROWS, (rows, length, FEATURES)) * filled[..., None]).astype(np.int32),
    )


@pytest.mark.parametrize("length", [BUCKET, 3 * BUCKET, MAX_LENGTH])
def test_emissions_to_the_bit_of_short_and_long_rows_also_where_requests_are_merged(triton, local, remote, length):
    """Two clients ask for the rows of one batch in requests of many sizes, all at once."""
    batch = noise(60, length, 30_000)
    expected = local.network(batch)
    before = counters(triton)
    assert np.array_equal(remote.network(batch), expected)
    edges = np.cumsum([0, 1, 1, 2, 3, 1, 5, 1, 8, 1, 2, 13, 1, 1, 17, 1, 2])
    assert edges[-1] == 60
    parts = [slice(start, end) for start, end in pairwise(edges.tolist())]
    with (
        grpc.InferenceServerClient(triton.specification.removeprefix("grpc://")) as other,
        ThreadPoolExecutor(len(parts)) as threads,
    ):

        def ask_other(part):
            inputs = []
            for name in ("pieces", "segments", "features"):
                array = getattr(batch, name)[part]
                inputs.append(grpc.InferInput(name, array.shape, "INT32"))
                inputs[-1].set_data_from_numpy(array)
            return other.infer("mner", inputs, str(SHIPPED_VERSION), client_timeout=120).as_numpy("emissions")

        def ask(number):
            return (remote.network(rows_of(batch, parts[number]))) if number % 2 else ask_other(parts[number])

        answers = list(threads.map(ask, range(len(parts))))
    assert np.array_equal(np.concatenate(answers), expected)
    executed = executions_of(triton, before, rows=120)
    assert executed < 1 + len(parts), "no two requests were merged: nothing was shown"


def executions_of(server, before, rows):
    """How many inferences those rows took, once all are counted: a server counts after it has answered."""
    end = monotonic() + 10
    while monotonic() < end:
        change = counters(server) - before
        if change["nv_inference_count"] == rows:
            return change["nv_inference_exec_count"]
        sleep(0.05)
    raise AssertionError(f"{rows} rows were asked for, and {change} counted")


def test_posts_to_the_bit_end_to_end(local, remote, posts):
    assert (remote.model, remote.generation) == (local.model, local.generation)
    prepared = local.prepare(posts)
    expected = local.tag(prepared)
    assert sum(len(post.entities) for post in expected) > 200
    assert remote.tag(remote.prepare(posts)) == expected
    with ThreadPoolExecutor(8) as threads:
        mixed = list(threads.map(lambda start: remote.tag(prepared[start::8]), range(8)))
    assert [mixed[number % 8][number // 8] for number in range(len(posts))] == expected


@pytest.fixture(scope="module")
def expected(local, tmp_path_factory):
    """What the feed leaves in an index when nothing goes wrong."""
    return asyncio.run(run_feed(local, tmp_path_factory.mktemp("expected")))


async def run_feed(tagger, folder, watch=lambda _: None):
    index = await open_index(f"sqlite:{folder}/index.db")
    try:
        async with asyncio.timeout(300):
            report = await run_pipeline(open_source(FEED), tagger, index, settings=QUICK, progress=watch)
        documents = [document async for document in index.documents()]
    finally:
        await index.close()
    assert report.ended
    return documents, report.progress.outcomes, report.progress.dropped


@pytest.fixture(scope="module")
def own_server(module_stack):
    """A server that these tests may kill and pause."""
    return module_stack("triton").triton


class Fault:
    """Strikes once, when `posts` posts are finished and more are under way; `heal` is called when it was noticed."""

    def __init__(self, strike, heal, posts=60):
        self.waited_for = []
        self.struck_at = None
        self._strike = strike
        self._heal = heal
        self._posts = posts

    def __call__(self, progress):
        if self.struck_at is None and progress.posts >= self._posts:
            self.struck_at = progress
            self._strike()
        elif self.struck_at and not self.waited_for and progress.waiting_for:
            self.waited_for.append(progress.waiting_for)
            self._heal()


async def test_a_server_that_is_killed_in_mid_stream_and_restarted_costs_nothing(own_server, expected, tmp_path):
    tagger = open_remote(own_server, model_deadline_seconds=SHORT_DEADLINE)
    fault = Fault(own_server.kill, partial(start_again, own_server))
    try:
        assert await run_feed(tagger, tmp_path, fault) == expected
    finally:
        tagger.network.close()
    assert fault.struck_at.in_flight > 0
    assert re.search(rf"ModelUnavailable: mner@{SHIPPED_VERSION} at .* answered UNAVAILABLE", fault.waited_for[0])


async def test_a_server_that_hangs_for_longer_than_the_deadline_and_is_restarted_costs_nothing(
    own_server, expected, tmp_path
):
    """Restarted and not resumed, as its health check would have it: docs/explanation/models.md says why."""

    def replace():
        own_server.kill()
        start_again(own_server)

    tagger = open_remote(own_server, model_deadline_seconds=SHORT_DEADLINE)
    fault = Fault(own_server.pause, replace)
    try:
        assert await run_feed(tagger, tmp_path, fault) == expected
    finally:
        tagger.network.close()
    assert fault.struck_at.in_flight > 0
    assert "DEADLINE_EXCEEDED" in fault.waited_for[0]


def start_again(server):
    server.start()
    server.wait()


@pytest.fixture(scope="module")
def two_versions(triton, tmp_path_factory):  # noqa: ARG001
    """A server of a repository with two versions, and a queue with room for one request.

    It asks for `triton` so that it is skipped where there is none.
    """
    repository = tmp_path_factory.mktemp("two") / "models"
    model = repository / "mner"
    for version, generation in ((1, 1), (2, 3)):
        folder = shutil.copytree(SHIPPED / "mner" / str(SHIPPED_VERSION), model / str(version))
        description = folder / "tagger.json"
        description.write_text(re.sub(r'"generation": ?\d+', f'"generation": {generation}', description.read_text()))
    text = configuration(model).replace("instance_group [ { count: 2 } ]", "instance_group [ { count: 1 } ]")
    (model / "config.pbtxt").write_text(re.sub(r"max_queue_size: \d+", "max_queue_size: 1", text))
    server = Triton(tmp_path_factory.mktemp("server"), repository)
    server.start()
    try:
        server.wait()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def two_taggers(triton, tmp_path_factory):  # noqa: ARG001
    """A server of two taggers side by side, one on each kind of encoder, with random weights."""
    repository = tmp_path_factory.mktemp("taggers") / "models"
    write_tiny_tagger(repository, "mner", "bert")
    write_tiny_tagger(repository, "mner_base", "mpnet", generation=3)
    server = Triton(tmp_path_factory.mktemp("server"), repository)
    server.start()
    try:
        server.wait()
        yield server
    finally:
        server.stop()


@pytest.mark.parametrize(("name", "generation"), [("mner", 1), ("mner_base", 3)])
def test_taggers_on_either_encoder_answer_as_in_process_by_their_name(two_taggers, posts, name, generation):
    repository = two_taggers.repository
    alone = open_tagger(Settings(models=str(repository), tagger=name, emission_cache_bytes=0))
    remote = open_remote(two_taggers, model_repository=repository, tagger=name, model_deadline_seconds=120)
    try:
        assert (remote.model, remote.generation) == (f"{name}@1", generation)
        for length in (BUCKET, 5 * BUCKET, MAX_LENGTH):
            batch = noise(20, length, len(VOCABULARY))
            assert np.array_equal(remote.network(batch), alone.network(batch))
        prepared = alone.prepare(posts[:60])
        assert remote.tag(prepared) == alone.tag(prepared)
    finally:
        remote.network.close()


async def test_overload_is_refused_by_the_server_and_waited_for(two_versions, tmp_path_factory):
    tagger = open_remote(two_versions, model_repository=two_versions.repository, model_version=1)
    stop = threading.Event()
    waited_for = []

    def crowd(_):
        """Another client, who fills the queue and does not mind being refused."""
        while not stop.is_set():
            with suppress(ModelUnavailable):
                tagger.network(batch)

    def watch(progress):
        if progress.waiting_for:
            waited_for.append(progress.waiting_for)
            stop.set()

    batch = noise(16, 64, 30_000)
    with ThreadPoolExecutor(4) as threads:
        crowding = threads.map(crowd, range(4))
        try:
            found = await run_feed(tagger, tmp_path_factory.mktemp("crowded"), watch)
        finally:
            stop.set()
        list(crowding)
    tagger.network.close()
    # Not the shipped repository's answers: without an image model they bear another stamp.
    alone = open_tagger(Settings(models=str(two_versions.repository), model_version=1))
    assert found == await run_feed(alone, tmp_path_factory.mktemp("alone"))
    assert "Exceeds maximum queue size" in waited_for[0]


def test_versions_stand_side_by_side_and_are_asked_for_by_name(two_versions, posts):
    repository = two_versions.repository
    newest = open_remote(two_versions, model_repository=repository)
    older = open_remote(two_versions, model_repository=repository, model_version=1)
    try:
        assert (newest.model, newest.generation) == ("mner@2", 3)
        assert (older.model, older.generation) == ("mner@1", 1)
        tagged = [tagger.tag(tagger.prepare(posts[:20])) for tagger in (newest, older)]
    finally:
        newest.network.close()
        older.network.close()
    assert {post.model for post in tagged[0]} == {"mner@2"}
    assert [post.entities for post in tagged[0]] == [post.entities for post in tagged[1]]
