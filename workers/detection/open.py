"""Opening of the detectors beside a pipeline, as the settings say."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from search.index import EntityIndex
from tagstream.runtime.daemon_thread_pool import DaemonThreadPool
from tagstream.settings import Settings
from workers.detection.runner import DetectionRunner
from workers.detection.writer import DetectionWriter
from workers.notifications.notifier import open_notifier


@asynccontextmanager
async def opened_detection(
    index: EntityIndex, settings: Settings, say: Callable[[str], None] = lambda _: None
) -> AsyncIterator[DetectionRunner | None]:
    """Gives the detectors of one process, with a thread of their own; None where the settings want none.

    Raises:
        BadSettings: of the webhooks or of the saved queries.
        UnreadableInput: the file of the webhooks' secret cannot be read.
    """
    if not settings.detect_events:
        yield None
        return
    if not hasattr(index, "write_detections"):  # a plug-in's
        say("this kind of index keeps no trends and events")
        yield None
        return
    notifier = await open_notifier(index, settings, say)
    pool = DaemonThreadPool(1, "detect")
    try:
        yield DetectionRunner(
            index,
            DetectionWriter(index, notifier),
            pool,
            snapshot_seconds=settings.detector_snapshot_seconds,
            say=say,
        )
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        if notifier is not None and notifier.waiting:
            say(
                f"{notifier.waiting:,} webhook notifications are not sent yet: they stay in the index, and the next "
                "run on it sends them"
            )
