"""A server that speaks X's API v2, as much of it as a reader of its streams meets.

Restates, in words of its own, what X's OpenAPI description and documentation say: the requests that are allowed (a
query that asks for something else is answered by 400, as X does), the shapes of its answers, heartbeats as `\\r\\n`,
back-filling by whole minutes, problems. Knows nothing of the sources.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

TOKEN = "AAAAtestAAAA"
EPOCH_MS = 1_288_834_974_657
STREAM = "/2/tweets/search/stream"
RULES = "/2/tweets/search/stream/rules"
COMPLIANCE = ("/2/tweets/compliance/stream", "/2/users/compliance/stream")
# Of the enumerations of the description those that are of use here.
FIELDS = {
    "tweet.fields": {
        *("attachments", "author_id", "context_annotations", "conversation_id", "created_at", "edit_controls"),
        *("edit_history_tweet_ids", "entities", "geo", "id", "in_reply_to_user_id", "lang", "note_tweet"),
        *("possibly_sensitive", "public_metrics", "referenced_tweets", "reply_settings", "source", "text", "withheld"),
    },
    "expansions": {
        *("attachments.media_keys", "attachments.poll_ids", "author_id", "edit_history_tweet_ids"),
        *("entities.mentions.username", "geo.place_id", "in_reply_to_user_id", "referenced_tweets.id"),
        *("referenced_tweets.id.attachments.media_keys", "referenced_tweets.id.author_id"),
    },
    "media.fields": {
        *("alt_text", "duration_ms", "height", "media_key", "preview_image_url", "public_metrics", "type", "url"),
        *("variants", "width"),
    },
    "user.fields": {
        *("created_at", "description", "id", "location", "name", "profile_image_url", "protected", "url"),
        *("username", "verified"),
    },
}


def snowflake(milliseconds: int, sequence: int = 0) -> int:
    """The id of a post that was made that many milliseconds after 1970."""
    return (milliseconds - EPOCH_MS) << 22 | sequence


def frame(identifier: int, text: str = "Rain over Lisbon", **fields: Any) -> dict[str, Any]:
    """A frame of the filtered stream with what is always in it."""
    data = {
        "id": str(identifier),
        "text": text,
        "author_id": "2244994945",
        "created_at": "2024-05-01T12:00:00.000Z",
        "edit_history_tweet_ids": [str(identifier)],
        "lang": "en",
        **fields,
    }
    users = [{"id": "2244994945", "name": "Ann", "username": "ann"}]
    return {"data": data, "includes": {"users": users}, "matching_rules": [{"id": "1", "tag": "tagstream"}]}


def problem_in(path: str, query: Sequence[tuple[str, str]]) -> str | None:
    """What X would refuse of a request for a stream; None if nothing."""
    allowed = {*FIELDS, "backfill_minutes"} if path == STREAM else {"backfill_minutes", "partition"}
    names = [name for name, _ in query]
    if set(names) - allowed or len(set(names)) != len(names):
        return f"The query parameters [{names}] are not all valid"
    given = dict(query)
    if not given.get("backfill_minutes", "0").isdigit() or int(given.get("backfill_minutes", "0")) > 5:
        return "The backfill_minutes query parameter value is not between 0 and 5"
    if path != STREAM and given.get("partition") not in ("1", "2", "3", "4"):
        return "The partition query parameter value is not between 1 and 4"
    for name, known in FIELDS.items():
        if name in given and set(given[name].split(",")) - known:
            return f"The {name} query parameter value [{given[name]}] is not one of {sorted(known)}"
    return None


class Request:
    """What a client asked."""

    def __init__(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> None:
        parts = urlsplit(target)
        self.method = method
        self.path = parts.path
        self.query = parse_qsl(parts.query, keep_blank_values=True)
        self.headers = headers
        self.body = body


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request of a client; None if it has gone."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    method, target, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, target, headers, body)


def answer(status: int, body: object, **headers: str) -> bytes:
    """An answer with a JSON body; underscores in the names of headers are hyphens."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} -", "content-type: application/json", f"content-length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"


class Chunks:
    """The body of a stream, in chunks."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def write(self, data: bytes) -> None:
        self._writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await self._writer.drain()

    async def say(self, document: object) -> None:
        await self.write(json.dumps(document).encode() + b"\r\n")

    async def heartbeat(self) -> None:
        await self.write(b"\r\n")

    async def end(self) -> None:
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()


class RuleBook:
    """The rules of an app, and the answers of their endpoint."""

    def __init__(self) -> None:
        self.rules: dict[str, dict[str, str]] = {}
        self.refused: dict[str, str] = {}  # by value: why X would not take it
        self.requests: list[object] = []
        self._next = 1_000

    def add(self, value: str, tag: str | None = None) -> str:
        self._next += 1
        identifier = str(self._next)
        self.rules[identifier] = {"id": identifier, "value": value, **({"tag": tag} if tag else {})}
        return identifier

    def handle(self, request: Request) -> bytes:
        sent = "2024-05-01T12:00:00.000Z"
        if request.method == "GET":
            data = list(self.rules.values())
            # Without rules there is no `data` at all.
            return answer(200, {**({"data": data} if data else {}), "meta": {"sent": sent, "result_count": len(data)}})
        document = json.loads(request.body)
        self.requests.append(document)
        if "delete" in document:
            for identifier in document["delete"]["ids"]:
                del self.rules[identifier]
            return answer(200, {"meta": {"sent": sent, "summary": {"deleted": len(document["delete"]["ids"])}}})
        errors, made = [], []
        for rule in document["add"]:
            value = rule["value"]
            there = next((one["id"] for one in self.rules.values() if one["value"] == value), None)
            if there:
                errors.append({"value": value, "id": there, "title": "DuplicateRule"})
            elif value in self.refused:
                errors.append({"value": value, "details": [self.refused[value]], "title": "UnprocessableEntity"})
            else:
                made.append(self.rules[self.add(value, rule.get("tag"))])
        summary = {"created": len(made), "not_created": len(errors), "valid": len(made), "invalid": len(errors)}
        body = {"meta": {"sent": sent, "summary": summary}}
        return answer(
            201 if made else 200, {**body, **({"data": made} if made else {}), **({"errors": errors} if errors else {})}
        )
