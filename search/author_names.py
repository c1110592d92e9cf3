"""The names by which an author is found: the id and the handle, in every form in which people write them.

::

    bo   @bo   @bo@social.example   bo@social.example   https://social.example/@bo   acct:bo@social.example
    bbc.bsky.social   https://bsky.app/profile/bbc.bsky.social   did:plc:…   https://x.com/bbc

A Mastodon server calls its own accounts `bo`, and those of other servers `bo@other.example`; everybody else calls the
first `bo@social.example` as well. Both a query and a post go through `author_name`, so they agree.
"""

import re
from collections.abc import Iterator

from tagstream.posts import TaggedPost

_PROFILE = re.compile(r"\Ahttps?://(?P<host>[^/\s@:]+)(?::[0-9]+)?/(?P<path>[^?#\s]+)", re.IGNORECASE)
_ON_SERVER = re.compile(r"\A(?:@|users/)(?P<name>[^/@]+)/?\Z", re.IGNORECASE)
_SITES = {"bsky.app": "profile/", "x.com": "", "twitter.com": ""}


def author_name(value: str) -> str:
    """Returns the comparable form of a handle, of the address of a profile, or of an author's id."""
    value = value.strip()
    value = value.removeprefix("acct:").removeprefix("at://")
    if "://" in value:
        value = _of_profile(value)
    return value.removeprefix("@").casefold()


def author_names(post: TaggedPost) -> Iterator[str]:
    """Yields every name of the post's author."""
    if post.author is None:
        return
    yield author_name(post.author.id)
    if not post.author.handle:
        return
    name = author_name(post.author.handle)
    yield name
    host = post.source.partition(":")[2].casefold()
    if host and "@" not in name:
        yield f"{name}@{host}"
    elif host:
        yield name.removesuffix(f"@{host}")


def _of_profile(address: str) -> str:
    """Returns the handle that the address of a profile names; the address itself if it names none."""
    found = _PROFILE.match(address)
    if found is None:
        return address
    host, path = found["host"].casefold().removeprefix("www.").removeprefix("mobile."), found["path"]
    prefix = _SITES.get(host)
    if prefix is not None and path.startswith(prefix):
        return path.removeprefix(prefix).partition("/")[0] or address
    on_server = _ON_SERVER.match(path)
    return f"{on_server['name']}@{host}" if on_server else address
