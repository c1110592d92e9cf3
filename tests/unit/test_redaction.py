"""Passwords and tokens in what is shown: hidden by their place, in bounded time, and nothing else with them."""

import time

import pytest

from tagstream.redaction import redacted


@pytest.mark.parametrize(
    "text",
    [
        "elasticsearch:https://elastic:s3cret@search.example:9200/p",
        "elasticsearch:https://elastic:s3/cr@s3cret@search.example:9200",
        "elasticsearch:https://elastic:s3cret's@search.example:9200",
        "elasticsearch:elastic:s3cret@search.example:9200",
        "https://s3cret@search.example/x",
        "The index 'elastic:s3cret@search.example:9200' is no URL",
        "the index 'https://u:s3cret@a.example,https://u:s3cret@b.example' is wrong",
        "mastodon:https://social.example?access_token=s3cret&stream=public",
        "rss:https://example.org/feed?key=s3cret",
        "rss:https://example.org/feed?lang=en&my_api_key=s3cret#x",
        "https://example.org/x?X-Amz-Signature=s3cret",
        "grpc://u:s3cret@host:8001",
        "Authorization: Bearer s3cretandmore",
        "{'authorization': 'ApiKey s3cretandmore'}",
    ],
)
def test_secrets_are_hidden(text: str) -> None:
    assert "s3cret" not in redacted(text)
    assert "***" in redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "rss:https://mastodon.example/@ann.rss",
        "as in rss:URL[,URL...] or rss:@FILE",
        "'author:@ann@social.example'",
        "https://mastodon.example:8080/@ann",
        "elasticsearch:http://127.0.0.1:9200/tagstream",
        "https://example.org/feed?lang=en&monkey=3&keyboard=de",
        "mail ann@example.org or bob@social.example",
        "jsonl:/tmp/a@b.jsonl",
        "the bearer of bad news",
        "bluesky:wss://jetstream.example/subscribe?lang=en",
    ],
)
def test_the_rest_stays(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize(
    "unit", ["://", "x:", "https://a:", "?key", "?token", "bearer ", "://a:b", "?-", "authorization:"]
)
def test_it_takes_no_long_time(unit: str) -> None:
    began = time.monotonic()
    redacted(unit * (16_000 // len(unit)))
    assert time.monotonic() - began < 5
