"""The notifier: finds what is to be told, keeps it in the outbox, and sends it to each receiver by itself.

What is told of an event is made when it is sent, of the posts that are there then; an event that was withdrawn
meanwhile, because its posts were deleted, is told to nobody. Keeps invariant 4 for webhooks.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from search.detection.event_timeline import ClosedMinute
from search.event_titles import event_title, posts_of
from search.index import EntityIndex
from tagstream.detections import DetectedEvent
from tagstream.errors import BadSettings, Retryable, UnreadableInput
from tagstream.network.address import parse_endpoints
from tagstream.runtime.backoff import BackOff
from tagstream.settings import Settings
from workers.notifications.alerts import AlertWatch, ReachedCount
from workers.notifications.outbox import (
    COUNT_REACHED,
    EVENT_DETECTED,
    Notification,
    Outbox,
    event_key,
    event_of,
    receiver_of,
)
from workers.notifications.webhook import NotDelivered, WebhookSender

OUTBOX, ALERTS = "notifications", "alerts"
"""The names of what is stored in the index."""

_LEAST_SECRET = 16
_BACK_OFF = BackOff(first_seconds=1.0, longest_seconds=600.0)
# A receiver that refuses a message so often will refuse it for ever.
_MOST_REFUSALS = 8


class Notifier:
    """The notifications of one process. The public fields may be read at any time, for progress and metrics."""

    def __init__(
        self,
        index: EntityIndex,
        senders: Mapping[str, WebhookSender],
        event_receivers: Sequence[str],
        watch: AlertWatch,
        outbox: Outbox,
        *,
        back_off: BackOff = _BACK_OFF,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.sent = 0
        self.failures = 0
        self.refused = 0
        self._index = index
        self._senders = senders
        self._event_receivers = event_receivers
        self._watch = watch
        self._outbox = outbox
        self._back_off = back_off
        self._say = say
        self._unstored: set[str] = set()
        self._stored = asyncio.Event()
        self._taken = asyncio.Event()

    @property
    def waiting(self) -> int:
        """The number of notifications that no receiver has taken yet."""
        return len(self._outbox)

    @property
    def dropped(self) -> int:
        """The number of notifications that were given up: of too many for one receiver, or refused again and again."""
        return self._outbox.dropped + self.refused

    async def note(self, minutes: Sequence[ClosedMinute]) -> None:
        """Puts what is to be told of these minutes into the outbox, which is to be stored with them.

        Raises:
            IndexUnavailable: the index does not answer; call it again.
        """
        for event in (event for minute in minutes for event in minute.events):
            if event.minute == event.detected_at and self._event_receivers:
                self._put(self._event_receivers, event_key(event.id), EVENT_DETECTED)
        if minutes:
            for reached in await self._watch.look(self._index, minutes[0].minute, minutes[-1].minute):
                url = reached.query.url
                receivers = self._event_receivers if url is None else [receiver_of(url.get_secret_value())]
                body = _body(reached.key, COUNT_REACHED, {"alert": _alert_document(reached)})
                self._put(receivers, reached.key, COUNT_REACHED, body)

    def state(self) -> dict[str, bytes]:
        """Returns what is to be stored, by name."""
        return {OUTBOX: self._outbox.encoded(), ALERTS: self._watch.encoded()}

    def stored(self) -> None:
        """Lets go out what is in the outbox: what it tells of is durable."""
        self._unstored.clear()
        self._stored.set()

    async def taken(self) -> None:
        """Returns when a notification has left the outbox, which is to be stored again."""
        await self._taken.wait()
        self._taken.clear()

    async def run(self) -> None:
        """Sends to every receiver, until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for receiver, sender in self._senders.items():
                tasks.create_task(self._send_to(receiver, sender))

    async def _send_to(self, receiver: str, sender: WebhookSender) -> None:
        clock = asyncio.get_running_loop().time
        failures = 0
        failed: dict[str, int] = {}
        refusals: dict[str, int] = {}
        due: dict[str, float] = {}
        while True:
            waiting = [one for one in self._outbox.waiting_for(receiver) if one.key not in self._unstored]
            for key in due.keys() - {one.key for one in waiting}:
                del due[key], failed[key]
                refusals.pop(key, None)
            # One that failed lets the others go until it is due again.
            notification = min(waiting, key=lambda one: due.get(one.key, 0.0), default=None)
            pause = None if notification is None else due.get(notification.key, 0.0) - clock()
            if notification is None or (pause is not None and pause > 0.0):
                self._stored.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stored.wait(), pause)
                continue
            try:
                message = await self._message(notification)
                if message is None:
                    self._remove(notification)
                    continue
                await sender.send(message)
            except Retryable:  # the index is away
                failures += 1
                await asyncio.sleep(self._back_off.delay(failures))
            except NotDelivered as error:
                self.failures += 1
                failures += 1
                key = notification.key
                failed[key] = failed.get(key, 0) + 1
                due[key] = clock() + self._back_off.delay(failed[key])
                if failures == failed[key] == 1:
                    self._say(f"a webhook was not delivered, and is tried again: {error}")
                if error.refused:
                    refusals[notification.key] = refusals.get(notification.key, 0) + 1
                    if refusals[notification.key] >= _MOST_REFUSALS:
                        self.refused += 1
                        self._remove(notification)
                await asyncio.sleep(self._back_off.delay(1))  # a dead receiver is not asked in a row
            else:
                self.sent += 1
                failures = 0
                self._remove(notification)

    def _remove(self, notification: Notification) -> None:
        self._outbox.remove(notification)
        self._taken.set()

    async def _message(self, notification: Notification) -> Notification | None:
        """Returns the notification as it is to be sent now; None where what it tells of was withdrawn.

        Raises:
            IndexUnavailable: the index does not answer.
        """
        if notification.kind != EVENT_DETECTED:
            return notification
        event = await self._index.event(event_of(notification))
        if event is None:
            return None
        document = await self._event_document(event)
        return replace(notification, body=_body(notification.key, EVENT_DETECTED, {"event": document}))

    def _put(self, receivers: Sequence[str], key: str, kind: str, body: str = "") -> None:
        self._unstored.add(key)
        for receiver in receivers:
            self._outbox.add(Notification(receiver, key, kind, body))

    async def _event_document(self, event: DetectedEvent) -> dict[str, Any]:
        posts = await posts_of(self._index, [event], evidence=False)
        return {
            "id": event.id,
            "title": event_title(event, posts[event.id]),
            "detected_at": event.detected_at.isoformat(),
            "started_at": event.started_at.isoformat(),
            "ended_at": None if event.ended_at is None else event.ended_at.isoformat(),
            "authors": event.authors,
            "score": event.score,
            "entities": [{"text": one.text, "type": one.type, "key": one.key} for one in event.entities],
            "posts": [post.post_id for post in event.evidence],
        }


def _body(key: str, kind: str, content: Mapping[str, Any]) -> str:
    return json.dumps({"type": kind, "key": key, **content}, ensure_ascii=False)


def _alert_document(reached: ReachedCount) -> dict[str, Any]:
    return {
        "query": reached.query.query,
        "count": reached.query.count,
        "per": reached.query.per,
        "posts": reached.posts,
        "since": reached.since.isoformat(),
        "until": reached.until.isoformat(),
    }


async def open_notifier(
    index: EntityIndex, settings: Settings, say: Callable[[str], None] = lambda _: None
) -> Notifier | None:
    """Returns the notifier that the settings ask for, with what was not sent before; None where nobody is to be told.

    Raises:
        BadSettings: there is no secret, nobody to tell of a saved query, a query is none, or a webhook's address is one
            that nothing is ever sent to.
        UnreadableInput: the file of the secret cannot be read.
    """
    events = [url.get_secret_value() for url in settings.webhook_urls]
    urls = {*events, *(one.url.get_secret_value() for one in settings.alerts if one.url is not None)}
    if not urls:
        if settings.alerts:
            raise BadSettings("alerts: nobody is told of them: give webhook_urls, or a url with each alert")
        return None
    if not events and any(one.url is None for one in settings.alerts):
        raise BadSettings("alerts: one has no url, and there are no webhook_urls: nobody would be told of it")
    secret = webhook_secret(settings)
    allowed = parse_endpoints(settings.webhook_allowed, "webhook_allowed")
    senders = {
        receiver_of(url): WebhookSender(url, secret, timeout_seconds=settings.webhook_timeout_seconds, allowed=allowed)
        for url in sorted(urls)
    }
    await asyncio.gather(*(_check(sender, say) for sender in senders.values()))
    watch = AlertWatch(settings.alerts, await index.detector_state(ALERTS))
    await watch.check(index)
    outbox = Outbox.decoded(await index.detector_state(OUTBOX))
    return Notifier(index, senders, [receiver_of(url) for url in events], watch, outbox, say=say)


async def _check(sender: WebhookSender, say: Callable[[str], None]) -> None:
    """Says of a receiver that could not be sent to now: its name may mean another address later."""
    try:
        await sender.check()
    except NotDelivered as error:
        say(f"webhooks to {sender.host} cannot be delivered now: {error}")


def webhook_secret(settings: Settings) -> bytes:
    """Returns the secret by which webhooks are signed.

    Raises:
        BadSettings: there is none, there are two, or it is too short.
        UnreadableInput: its file cannot be read.
    """
    given, file = settings.webhook_secret, settings.webhook_secret_file
    if (given is None) == (file is None):
        raise BadSettings(
            "webhooks are signed: give either webhook_secret or webhook_secret_file, the secret that the receiver has"
        )
    secret = given.get_secret_value() if given is not None else _read_secret(file)
    if len(secret) < _LEAST_SECRET:
        raise BadSettings(f"the secret of webhooks has fewer than {_LEAST_SECRET} characters, and could be guessed")
    return secret.encode()


def _read_secret(file: Path | None) -> str:
    assert file is not None
    try:
        with file.open(encoding="utf-8") as opened:
            return opened.read(64 * 1024).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableInput(f"webhook_secret_file {file} cannot be read: {error}") from error
