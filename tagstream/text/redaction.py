"""Redaction of passwords and tokens in texts that are shown: specifications, settings, messages and reports.

A password is known by its position alone: between `//` and `@` of an address, or behind a name such as `token=` in a
query. In a malformed address too much is hidden rather than too little.
"""

import re

HIDDEN = "***"

# Longer ones are not looked for, so that no text takes long: tokens that are signed have about a thousand characters.
_USER = r"[^\s/:?#@'\"<>]{0,2048}"
_PASSWORD = r"\S{0,2048}"
_NAME = r"[^\s/:?#@'\"<>]{1,256}"
_PORT = r"\d{1,5}(?:[/?#,\s'\"]|$)"
# What stands before a colon and names what follows it.
_NO_USERS = "sqlite|jsonl|elasticsearch|mastodon|bluesky|x|rss|https?|grpc|wss?|author|acct|mailto"
_WORD = r"[\w.-]{0,40}"
_SECRET_NAME = rf"{_WORD}(?:token|passw|pwd|secret|credential|api_?key|auth|signature|bearer){_WORD}|key|sig"
_SECRETS = (
    # user:password@, to the last @ of the word: a password that was not encoded may hold @ and / itself. A number
    # behind the colon is a port, and what follows it a path, where @ is a name (https://example.org:8080/@ann).
    (re.compile(rf"(?<=//){_USER}:(?!{_PORT}){_PASSWORD}@"), f"{HIDDEN}@"),
    (re.compile(r"(?<=://)[^\s/?#'\"<>]{0,2048}@"), f"{HIDDEN}@"),
    # The same without the slashes: elasticsearch:user:password@host.
    (
        re.compile(r"(?<![\w/])((?:elasticsearch|mastodon|bluesky|x|rss|https?|grpc):)(?!//)[^\s/'\"<>]{1,2048}@"),
        rf"\1{HIDDEN}@",
    ),
    # What is left of it when the kind was taken off, or where another kind was meant: user:password@host.
    # A path stays, and so does a name behind a port and a slash (social.example:8080/@ann).
    (
        re.compile(
            rf"(?<![\w.%+/-])(/?)(?!(?:{_NO_USERS}):){_NAME}:(?!//|@|\d{{1,5}}/(?:\S{{0,256}}/)?@)"
            r"(?:(?!://)\S){1,2048}@"
        ),
        rf"\1{HIDDEN}@",
    ),
    (re.compile(rf"(?i)(?<=[?&;])({_SECRET_NAME})=[^&;#\s'\"<>]*"), rf"\1={HIDDEN}"),
    (re.compile(r"(?i)\b(authorization\W{1,4}(?:basic|bearer|apikey)|bearer)\s{1,4}[\w.~+/%=-]{8,}"), rf"\1 {HIDDEN}"),
)


def redacted(text: str) -> str:
    """Returns the text without the passwords and tokens of the addresses in it."""
    for found, instead in _SECRETS:
        text = found.sub(instead, text)
    return text
