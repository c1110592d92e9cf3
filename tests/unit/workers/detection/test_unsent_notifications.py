"""A run that ends before all webhooks are sent says so."""

from pathlib import Path

from search.sqlite.index import SqliteIndex
from tagstream.settings import Settings
from workers.detection.open import opened_detection
from workers.notifications.notifier import OUTBOX
from workers.notifications.outbox import Notification, Outbox, receiver_of

# An address: a name that cannot be resolved would be told of, too. Nobody has it (RFC 5737).
ADDRESS = "192.0.2.1:443"
URL = f"https://{ADDRESS}/tagstream"


async def test_what_is_not_sent_at_the_end_is_counted_and_where_it_stays_is_said(tmp_path: Path) -> None:
    settings = Settings(webhook_urls=[URL], webhook_allowed=[ADDRESS], webhook_secret="a secret of the receiver")
    said: list[str] = []
    index = await SqliteIndex.open(tmp_path / "index.db")
    async with opened_detection(index, settings, said.append):
        pass
    assert said == []
    waiting = Outbox(Notification(receiver_of(URL), key, "event.detected", "{}") for key in ("one", "two"))
    await index.write_detections((), (), {OUTBOX: waiting.encoded()})
    async with opened_detection(index, settings, said.append) as detection:
        assert detection is not None
        assert detection.figures().webhooks_waiting == 2
    (line,) = said
    assert "2 webhook notifications are not sent yet" in line
    assert "the next run" in line
    await index.close()
