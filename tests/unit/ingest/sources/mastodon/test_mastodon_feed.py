"""Which feed a specification names, and where that is asked for."""

import pytest
from pydantic import SecretStr

from ingest.sources.mastodon.feed import parse_feed
from ingest.sources.mastodon.source import open_mastodon
from ingest.sources.open import open_source
from tagstream.errors import BadSettings
from tagstream.settings import Settings


@pytest.mark.parametrize(
    ("argument", "base", "source", "name"),
    [
        ("Social.Example", "https://social.example", "mastodon:social.example", "mastodon:social.example"),
        ("https://social.example/", "https://social.example", "mastodon:social.example", "mastodon:social.example"),
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000", "mastodon:127.0.0.1-3000", "mastodon:127.0.0.1-3000"),
        ("bücher.example", "https://xn--bcher-kva.example", "mastodon:xn--bcher-kva.example", None),
        ("social.example?transport=websocket", "https://social.example", "mastodon:social.example", None),
        (
            "social.example?stream=hashtag&tag=%23Lisbon",
            "https://social.example",
            "mastodon:social.example",
            "mastodon:social.example?stream=hashtag&tag=lisbon",
        ),
    ],
)
def test_feeds_are_named(argument: str, base: str, source: str, name: str | None) -> None:
    feed = parse_feed(argument)
    assert (feed.base, feed.source, feed.name) == (base, source, name or source)


def test_the_transport_does_not_change_whose_cursor_it_is() -> None:
    assert parse_feed("a.example").name == parse_feed("a.example?transport=websocket").name


@pytest.mark.parametrize(
    ("argument", "stream", "timeline"),
    [
        ("a.example", "https://s.example/api/v1/streaming/public", "public?limit=40&min_id=7"),
        (
            "a.example?stream=public:local",
            "https://s.example/api/v1/streaming/public/local",
            "public?limit=40&min_id=7&local=true",
        ),
        (
            "a.example?stream=hashtag&tag=a/b",
            "https://s.example/api/v1/streaming/hashtag?tag=a%2Fb",
            "tag/a%2Fb?limit=40&min_id=7",
        ),
        (
            "a.example?transport=websocket&stream=public:local",
            "wss://s.example/api/v1/streaming?stream=public%3Alocal",
            "public?limit=40&min_id=7&local=true",
        ),
    ],
)
def test_addresses(argument: str, stream: str, timeline: str) -> None:
    feed = parse_feed(argument)
    assert feed.stream_address("https://s.example") == stream
    assert feed.timeline_address(40, "7") == f"https://a.example/api/v1/timelines/{timeline}"


@pytest.mark.parametrize(
    "argument",
    [
        "",
        "?stream=public",
        "http://social.example",
        "ftp://social.example",
        "https://user:password@social.example",
        "social.example/path",
        "social.example:port",
        "social.example:99999",
        "social example",
        "[::1",
        "-social.example",
        "social.example?stream=user",
        "social.example?stream=hashtag",
        "social.example?tag=x",
        "social.example?transport=pigeon",
        "social.example?token=secret",
        "social.example?stream=public&stream=public:local",
        "social.example?stream",
        "x" * 200 + ".example",
    ],
)
def test_what_names_no_feed_is_refused(argument: str) -> None:
    with pytest.raises(BadSettings) as refused:
        parse_feed(argument)
    assert "password" not in str(refused.value).replace("a user or a password", "")


@pytest.mark.parametrize(
    ("announced", "origin"),
    [
        ("wss://streaming.a.example", "https://streaming.a.example"),
        ("wss://a.example:4000/", "https://a.example:4000"),
        ("https://a.example", "https://a.example"),
        ("ws://streaming.a.example", "https://a.example"),
        (7, "https://a.example"),
    ],
)
def test_where_the_streams_are(announced: object, origin: str) -> None:
    assert parse_feed("a.example").streaming_origin(announced) == origin


@pytest.mark.parametrize("announced", ["wss://b.example", "wss://xa.example", "wss://a.example.b"])
def test_the_token_goes_nowhere_that_the_user_did_not_name(announced: str) -> None:
    with pytest.raises(BadSettings, match="streaming="):
        parse_feed("a.example").streaming_origin(announced)
    allowed = parse_feed("a.example?streaming=b.example")
    assert allowed.streaming_origin(announced) == "https://b.example"


def test_the_source_is_opened_with_its_token() -> None:
    settings = Settings(mastodon_token=SecretStr("abc-123"))
    assert open_source("mastodon:social.example", settings).name == "mastodon:social.example"
    for wrong in ("", "two words", "line\nbreak", "é"):
        with pytest.raises(BadSettings, match="MASTODON_TOKEN"):
            open_mastodon("social.example", Settings(mastodon_token=SecretStr(wrong)))
