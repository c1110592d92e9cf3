"""What a source leaves out is one count with a name from a closed list, and shown wherever a run says how it went."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipeline_fakes import CREATED, ListSource, MemoryIndex, post

from ingest import cli
from ingest.media.image_fetcher import ImageFetcher, open_image_fetcher
from ingest.metrics_page import metrics_of, serve_metrics
from ingest.run import IngestProgress, IngestReport
from ingest.sources.bluesky.frame import FrameReader
from ingest.sources.jsonl.reading import PassedOverDocument
from ingest.sources.open import open_source
from ingest.sources.wrappers.paced import PacedSource
from ingest.sources.wrappers.recording import RecordingSource
from ingest.sources.wrappers.with_photos import WithPhotos
from tagstream.cli.progress import RunProgress, progress_line
from tagstream.errors import BadSettings
from tagstream.media_reasons import PhotoReason
from tagstream.runtime.exposition import Exposition
from tagstream.runtime.metrics import PipelineProgress
from tagstream.settings import Settings
from tagstream.source import Source
from workers.cli import run
from workers.local import run_pipeline
from workers.pipeline.settings import StageSettings
from workers.tagger.stub import StubTagger

NETWORK = ["gap", "reconnect"]
BLUESKY_PASSES_OVER = ("identity", "other_kind", "other_collection", "language", "earlier", "notice")
SETTINGS = Settings.model_validate({"x_bearer_token": "abc", "x_rules": ["rain"], "mastodon_token": "abc"})
COUNTED = {"gap": 2, "reconnect": 0, "passed_over_language": 1234, "photo_late": 1}
PROGRESS = IngestProgress(
    elapsed_seconds=10.0,
    read=150,
    published=140,
    posts=100,
    dead_letters=3,
    in_flight=10,
    lag_seconds=0.5,
    cursor="7",
    waiting_for=None,
    source_counts=COUNTED,
)


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        (
            "bluesky:",
            [*NETWORK, "behind", *(f"passed_over_{one}" for one in BLUESKY_PASSES_OVER)],
        ),
        (
            "mastodon:example.org",
            [*NETWORK, *(f"passed_over_{one}" for one in ("reblog", "not_public", "other_event"))],
        ),
        ("rss:https://example.org/feed", [*NETWORK, "no_feed", "too_slow", "refused_address", "left_out", "undated"]),
        ("x:", [*NETWORK, "passed_over_compliance"]),
        ("jsonl:posts.jsonl", [f"passed_over_{one.value}" for one in PassedOverDocument]),
        ("simulate:1", []),
    ],
)
def test_the_names_of_every_source_stand_from_the_start(spec: str, names: list[str]) -> None:
    assert open_source(spec, SETTINGS).counts() == dict.fromkeys(names, 0)


frames = st.fixed_dictionaries(
    {
        "did": st.sampled_from(["did:plc:abc", "nobody", 5]),
        "time_us": st.sampled_from([1_725_911_162_329_308, -1, None]),
        "kind": st.sampled_from(["commit", "identity", "account", "sync", 5]),
        "identity": st.sampled_from([{"handle": "ada.example.org"}, None]),
        "account": st.sampled_from([{"active": True}, {"active": False, "status": "deleted"}, {}]),
        "commit": st.fixed_dictionaries(
            {
                "rev": st.sampled_from(["3l3qo2vutsw2b", None]),
                "operation": st.sampled_from(["create", "update", "delete", "move"]),
                "collection": st.sampled_from(["app.bsky.feed.post", "app.bsky.feed.like"]),
                "rkey": st.sampled_from(["3l3qo2vuowo2b", "."]),
                "record": st.sampled_from([{"text": "Rain"}, {"text": "Regen", "langs": ["de"]}, {"text": 5}, None]),
            }
        ),
    }
)


@given(st.lists(frames | st.just("no frame"), max_size=20))
def test_every_frame_is_an_event_or_one_count(given_frames: list[Any]) -> None:
    reader = FrameReader(frozenset({"en", "und"}))
    events = [reader.read(json.dumps(frame).encode()).event for frame in given_frames]
    assert len(given_frames) == sum(event is not None for event in events) + reader.passed_over.total()


def photographed(source: Source, _: Path) -> Source:
    return WithPhotos(source, open_image_fetcher(Settings()), wait_seconds=1.0, max_ahead=10)


def paced(source: Source, _: Path) -> Source:
    return PacedSource(source, 1.0)


def recorded(source: Source, folder: Path) -> Source:
    return RecordingSource(source, str(folder / "recording.jsonl"))


@pytest.mark.parametrize("wrap", [photographed, paced, recorded])
async def test_what_wraps_a_source_passes_its_counts_on(wrap: Callable[[Source, Path], Source], tmp_path: Path) -> None:
    source = ListSource([])
    wrapped = wrap(source, tmp_path)
    source.counted = {"gap": 3}
    assert wrapped.counts()["gap"] == 3
    await wrapped.close()
    assert wrapped.counts()["gap"] == 3


async def test_photos_are_counted_beside_what_their_source_counts() -> None:
    image_fetcher: ImageFetcher = open_image_fetcher(Settings())
    source = WithPhotos(ListSource([]), image_fetcher, wait_seconds=1.0, max_ahead=10)
    source.photos.count(PhotoReason.LATE)
    source.photos.count(None)
    names = ["photo_found", *(f"photo_{reason}" for reason in PhotoReason), "photo_decoder_unfiltered"]
    assert source.counts() == {**dict.fromkeys(names, 0), "photo_late": 1, "photo_found": 1}
    await source.close()


async def test_a_run_shows_what_its_source_counted() -> None:
    source = ListSource([post(1), post(2)])
    source.counted = COUNTED
    shown: list[PipelineProgress] = []
    settings = StageSettings(batch_deadline_seconds=0.001, index_deadline_seconds=0.001)
    async with asyncio.timeout(20):
        report = await run_pipeline(
            source,
            StubTagger(),
            MemoryIndex(),  # type: ignore[arg-type]
            settings=settings,
            progress=shown.append,
            now=lambda: CREATED,
        )
    assert run.report_document(report)["source"] == COUNTED
    assert "; source: gap 2, passed_over_language 1,234, photo_late 1" in run.summary(report)
    assert progress_line(shown[-1]).endswith(" | source: gap 2, passed_over_language 1,234, photo_late 1")


def test_a_run_without_any_says_nothing_of_its_source() -> None:
    quiet = replace(PROGRESS, source_counts={"gap": 0})
    assert "source" not in cli.summary(IngestReport(quiet, ended=True))


def test_an_ingest_shows_what_its_source_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    report = IngestReport(PROGRESS, ended=True)
    assert cli.report_document(report)["source"] == COUNTED
    assert "; source: gap 2, passed_over_language 1,234, photo_late 1; " in cli.summary(report)
    lines: list[str] = []
    monkeypatch.setattr("tagstream.cli.progress.say", lines.append)
    cli._ProgressDisplay(RunProgress())(PROGRESS)
    assert [line.endswith(" | source: gap 2, passed_over_language 1,234, photo_late 1") for line in lines] == [True]


def test_the_figures_of_an_ingest_are_counters_of_every_name() -> None:
    text = Exposition(lambda: metrics_of(PROGRESS)).render()[0].decode()
    assert "# TYPE tagstream_ingest_source_total counter" in text
    for name, number in COUNTED.items():
        assert f'tagstream_ingest_source_total{{what="{name}"}} {float(number)}\n' in text
    assert "tagstream_ingest_published_total 140.0\n" in text


async def test_the_page_of_an_ingest_answers_while_it_runs() -> None:
    progress = replace(PROGRESS, waiting_for="Kafka does not answer")
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ingest.metrics_page.note", said.append)
        async with serve_metrics("127.0.0.1:0", lambda: progress), aiohttp.ClientSession() as session:
            page = said[0].removeprefix("health at ").removesuffix("/health/ready")
            for path, status in (("/health/live", 200), ("/health/ready", 503), ("/metrics", 200)):
                async with session.get(page + path) as answer:
                    assert answer.status == status
                    assert ("Kafka does not answer" in await answer.text()) == (status == 503)
    with pytest.raises(aiohttp.ClientConnectorError):
        async with aiohttp.ClientSession() as session, session.get(f"{page}/metrics"):
            pass


async def test_a_page_where_none_can_be_names_its_setting() -> None:
    with pytest.raises(BadSettings, match="TAGSTREAM_INGEST_HTTP"):
        async with serve_metrics("127.0.0.1:70000", lambda: PROGRESS):
            pass
