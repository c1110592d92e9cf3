"""What may stand behind `bluesky:`, and what is refused with a sentence that helps."""

import pytest

from ingest.sources.bluesky.options import PUBLIC_SERVERS, BlueskyOptions, read_options
from ingest.sources.bluesky.source import BlueskySource
from ingest.sources.open import open_source
from tagstream.errors import BadSettings


def test_the_public_servers_are_read_where_none_is_named() -> None:
    options = read_options("bluesky:")
    assert options == BlueskyOptions()
    assert len(options.servers) == 4
    assert options.servers == PUBLIC_SERVERS
    assert options.name == "bluesky:"


@pytest.mark.parametrize(
    ("address", "server"),
    [
        ("ws://127.0.0.1:6008", "ws://127.0.0.1:6008/subscribe"),
        ("wss://example.org/", "wss://example.org/subscribe"),
        ("wss://example.org/jetstream/subscribe", "wss://example.org/jetstream/subscribe"),
        ("ws://[::1]:6008", "ws://[::1]:6008/subscribe"),
    ],
)
def test_an_address_leads_to_subscribe(address: str, server: str) -> None:
    assert read_options(f"bluesky:{address}").servers == (server,)


def test_all_options_at_once() -> None:
    options = read_options(
        "bluesky:ws://a.org,ws://b.org?lang=en,und&dids=did:plc:a,did:web:b.org,did:plc:a&compress=0"
    )
    assert options == BlueskyOptions(
        servers=("ws://a.org/subscribe", "ws://b.org/subscribe"),
        languages=frozenset({"en", "und"}),
        accounts=("did:plc:a", "did:web:b.org"),
        quiet=True,
        compress=False,
    )


def test_the_name_is_that_of_the_posts_however_they_are_carried() -> None:
    plain = read_options("bluesky:ws://a.org")
    assert plain.name == read_options("bluesky:ws://a.org?compress=0&quiet=1").name
    assert read_options("bluesky:?lang=en,de").name == read_options("bluesky:?lang=de,en").name
    assert (
        read_options("bluesky:?dids=did:plc:a,did:plc:b").name == read_options("bluesky:?dids=did:plc:b,did:plc:a").name
    )
    names = {read_options(f"bluesky:{one}").name for one in ("", "ws://a.org", "?lang=en", "?dids=did:plc:a")}
    assert len(names) == 4
    many = ",".join(f"did:plc:{number:024d}" for number in range(10_000))
    assert len(read_options(f"bluesky:?dids={many}").name) < 100


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("bluesky:example.org", "no address of a WebSocket"),
        ("bluesky:https://example.org", "no address of a WebSocket"),
        ("bluesky:ws://", "no address of a WebSocket"),
        ("bluesky:ws://a.org,", "no address of a WebSocket"),
        ("bluesky:ws://a.org:99999", "no address"),
        ("bluesky:ws://a.org:0", "no address"),
        ("bluesky:ws://[::1", "no address"),
        ("bluesky:ws://a.org#x", "no address"),
        ("bluesky:ws://user:secret@a.org", "no user and password"),
        ("bluesky:?color=red", "'color' is no option; there are lang, dids, quiet, compress"),
        ("bluesky:?lang=en&lang=de", "'lang' stands twice"),
        ("bluesky:?lang=", "'lang' has no value"),
        ("bluesky:?lang=english please", "no language"),
        ("bluesky:?lang=en,", "no language"),
        ("bluesky:?dids=ada.example.org", "no identifier of an account"),
        ("bluesky:?compress=yes", "it may be 0 or 1"),
        ("bluesky:?quiet=2", "it may be 0 or 1"),
        ("bluesky:?dids=" + ",".join(f"did:plc:{n}" for n in range(10_001)), "10,001 accounts"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_part(spec: str, reason: str) -> None:
    with pytest.raises(BadSettings, match="cannot be read from") as refused:
        open_source(spec)
    assert reason in str(refused.value)
    assert len(str(refused.value)) < 400


def test_a_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(BadSettings) as refused:
        open_source("bluesky:wss://user:hunter2@example.org")
    assert "hunter2" not in str(refused.value)


def test_it_is_opened_by_its_name() -> None:
    assert isinstance(open_source("bluesky:"), BlueskySource)
