"""What the AT Protocol's published lexicons allow in a frame of Jetstream, restated as one checker.

Server and client of a test could share one misreading: so everything that a fake server sends passes here first. It
uses no code of the product. From: app.bsky.feed.post, app.bsky.richtext.facet, app.bsky.embed.*,
com.atproto.sync.subscribeRepos (#account, #identity), and the syntax of DIDs, TIDs, record keys and handles.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import regex

DID = re.compile(r"did:[a-z]+:[a-zA-Z0-9._:%-]*[a-zA-Z0-9._-]")
TID = re.compile(r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}")
NSID = re.compile(r"[a-zA-Z](?:[a-zA-Z0-9-]{0,62})(?:\.[a-zA-Z0-9-]{1,63})+\.[a-zA-Z][a-zA-Z0-9]{0,62}")
RECORD_KEY = re.compile(r"[a-zA-Z0-9._:~-]{1,512}")
HANDLE = re.compile(r"([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?")
CID = re.compile(r"baf[a-z2-7]{56}")
AT_URI = re.compile(rf"at://{DID.pattern}/{NSID.pattern}/{RECORD_KEY.pattern}")
LANGUAGE = re.compile(r"[a-zA-Z]{2,8}(-[a-zA-Z0-9]{1,8})*")
DATETIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,20})?(Z|[+-]\d\d:\d\d)")
STATUSES = {"takendown", "suspended", "deleted", "deactivated", "desynchronized", "throttled"}
FACET = "app.bsky.richtext.facet"
EMBED = "app.bsky.embed."


class NotOfTheLexicon(AssertionError):
    """A frame that no honest server would send."""


def check(condition: bool, what: str) -> None:
    if not condition:
        raise NotOfTheLexicon(what)


def check_frame(body: bytes) -> None:
    """That it is a frame of Jetstream: an event of a repository as its documents show them."""
    frame = json.loads(body)
    check(isinstance(frame, dict), "a frame is an object")
    check(
        set(frame) <= {"did", "time_us", "kind", "commit", "identity", "account", "sync", "cursor"},
        f"fields {sorted(frame)}",
    )
    check(isinstance(frame.get("did"), str) and bool(DID.fullmatch(frame["did"])), "did")
    check(type(frame.get("time_us")) is int and 10**15 < frame["time_us"] < 10**16, "time_us: microseconds since 1970")
    kind = frame.get("kind")
    check(kind in ("commit", "identity", "account", "sync"), f"kind {kind}")
    check(set(frame) & {"commit", "identity", "account", "sync"} == {kind}, "one body, named as its kind")
    {"commit": check_commit, "identity": check_identity, "account": check_account, "sync": check_sync}[kind](
        frame[kind]
    )
    if kind != "commit":
        check(frame[kind]["did"] == frame["did"], "the same account in envelope and body")


def check_commit(commit: Mapping[str, Any]) -> None:
    check(bool(TID.fullmatch(commit["rev"])), "rev is a tid")
    check(bool(NSID.fullmatch(commit["collection"])), "collection is an nsid")
    check(bool(RECORD_KEY.fullmatch(commit["rkey"])) and commit["rkey"] not in (".", ".."), "rkey is a record key")
    if commit["operation"] == "delete":
        check(set(commit) == {"rev", "operation", "collection", "rkey"}, "a delete has no record and no cid")
        return
    check(commit["operation"] in ("create", "update"), "operation")
    check(set(commit) == {"rev", "operation", "collection", "rkey", "record", "cid"}, "fields of a commit")
    check(bool(CID.fullmatch(commit["cid"])), "cid")
    check(commit["record"]["$type"] == commit["collection"], "a record says what it is")
    if commit["collection"] == "app.bsky.feed.post":
        check_post(commit["record"])


def check_identity(identity: Mapping[str, Any]) -> None:
    check({"did", "seq", "time"} <= set(identity) <= {"did", "seq", "time", "handle"}, "fields of an identity")
    check_moment(identity)
    check("handle" not in identity or bool(HANDLE.fullmatch(identity["handle"])), "handle")


def check_sync(sync: Mapping[str, Any]) -> None:
    check(set(sync) == {"did", "seq", "time", "rev", "blocks"}, "fields of a sync")
    check_moment(sync)
    check(bool(TID.fullmatch(sync["rev"])), "rev is a tid")


def check_account(account: Mapping[str, Any]) -> None:
    check({"did", "seq", "time", "active"} <= set(account) <= {"did", "seq", "time", "active", "status"}, "fields")
    check_moment(account)
    check(type(account["active"]) is bool, "active is a boolean")
    check("status" not in account or account["status"] in STATUSES, "status")


def check_moment(event: Mapping[str, Any]) -> None:
    check(type(event["seq"]) is int, "seq")
    check_datetime(event["time"])


def check_datetime(value: str) -> None:
    check(bool(DATETIME.fullmatch(value)), f"{value} is a datetime of the lexicon")
    datetime.fromisoformat(value)


def check_text(value: str, most_bytes: int, most_graphemes: int) -> None:
    check(len(value.encode()) <= most_bytes, f"{most_bytes} bytes")
    check(len(regex.findall(r"\X", value)) <= most_graphemes, f"{most_graphemes} graphemes")


def check_post(record: Mapping[str, Any]) -> None:
    allowed = {"$type", "text", "createdAt", "facets", "reply", "embed", "langs", "labels", "tags"}
    check({"$type", "text", "createdAt"} <= set(record) <= allowed, f"fields {sorted(record)}")
    check_text(record["text"], 3000, 300)
    check_datetime(record["createdAt"])
    for facet in record.get("facets", []):
        check_facet(facet)
    if "reply" in record:
        check(set(record["reply"]) == {"root", "parent"}, "a reply has root and parent")
        check_strong_reference(record["reply"]["root"])
        check_strong_reference(record["reply"]["parent"])
    if "embed" in record:
        check_embed(record["embed"])
    check(
        len(record.get("langs", [])) <= 3 and all(LANGUAGE.fullmatch(one) for one in record.get("langs", [])), "langs"
    )
    check(len(record.get("tags", [])) <= 8, "at most 8 tags")
    for tag in record.get("tags", []):
        check_text(tag, 640, 64)
    if "labels" in record:
        check(record["labels"]["$type"] == "com.atproto.label.defs#selfLabels", "labels")


def check_facet(facet: Mapping[str, Any]) -> None:
    index = facet["index"]
    check(type(index["byteStart"]) is int and type(index["byteEnd"]) is int and index["byteStart"] >= 0, "index")
    for feature in facet["features"]:
        kind = feature["$type"]
        check(kind in {f"{FACET}#mention", f"{FACET}#link", f"{FACET}#tag"}, f"feature {kind}")
        if kind == f"{FACET}#mention":
            check(bool(DID.fullmatch(feature["did"])), "a mention names an account")
        elif kind == f"{FACET}#link":
            check("://" in feature["uri"], "a link names an address")
        else:
            check_text(feature["tag"], 640, 64)


def check_strong_reference(reference: Mapping[str, Any]) -> None:
    check(bool(AT_URI.fullmatch(reference["uri"])) and bool(CID.fullmatch(reference["cid"])), "uri and cid")


def check_embed(embed: Mapping[str, Any]) -> None:
    checks: dict[str, Callable[[Mapping[str, Any]], None]] = {
        f"{EMBED}images": lambda one: check_images(one["images"], 4, ratio_required=False),
        f"{EMBED}gallery": lambda one: check_images(one["items"], 20, ratio_required=True),
        f"{EMBED}video": check_video,
        f"{EMBED}external": lambda one: check({"uri", "title", "description"} <= set(one["external"]), "external"),
        f"{EMBED}record": lambda one: check_strong_reference(one["record"]),
        f"{EMBED}recordWithMedia": check_record_with_media,
    }
    check(embed["$type"] in checks, f"embed {embed['$type']}")
    checks[embed["$type"]](embed)


def check_record_with_media(embed: Mapping[str, Any]) -> None:
    check_strong_reference(embed["record"]["record"])
    check(embed["media"]["$type"] in {f"{EMBED}{one}" for one in ("images", "video", "external", "gallery")}, "media")
    check_embed(embed["media"])


def check_images(images: list[Mapping[str, Any]], most: int, *, ratio_required: bool) -> None:
    check(len(images) <= most, f"at most {most} images")
    for image in images:
        check_blob(image["image"], "image/")
        check(isinstance(image["alt"], str), "alt is required, if only empty")
        check_ratio(image, required=ratio_required)


def check_video(embed: Mapping[str, Any]) -> None:
    check_blob(embed["video"], "video/mp4")
    check_text(embed.get("alt", ""), 10_000, 1_000)
    check_ratio(embed, required=False)


def check_ratio(described: Mapping[str, Any], *, required: bool) -> None:
    check(not required or "aspectRatio" in described, "an aspect ratio is required")
    ratio = described.get("aspectRatio", {"width": 1, "height": 1})
    check(all(type(ratio[side]) is int and ratio[side] >= 1 for side in ("width", "height")), "aspect ratio")


def check_blob(blob: Mapping[str, Any], kind: str) -> None:
    check(set(blob) == {"$type", "ref", "mimeType", "size"} and blob["$type"] == "blob", "a blob")
    check(bool(CID.fullmatch(blob["ref"]["$link"])) and type(blob["size"]) is int, "a blob's cid and size")
    check(blob["mimeType"].startswith(kind), "a blob's type")
