r"""The reader of feeds that runs inside a sandbox: a document's bytes in, its entries out as plain lines.

::

    request  the Content-Type, a newline, the document
    answer   b"feed\\n" and the lines of `to_lines`, or b"none\\n" and why it is no feed

`ingest/sandbox/` is the sandbox.
"""

import codecs
from contextlib import suppress
from encodings.aliases import aliases

from ingest.sources.rss.document import to_lines
from ingest.sources.rss.reader import UnreadableFeed, read_feed
from ingest.sources.rss.timestamps.zones import places

FEED, NONE = b"feed\n", b"none\n"

_SAMPLE = (
    "<rss><channel><title>Café</title><item><title>&#8217;</title><pubDate>2 mai 2024 14:30 CEST</pubDate>"
    "<description>&lt;p&gt;R&amp;amp;D&lt;/p&gt;&lt;img src=a&gt;</description></item></channel></rss>"
)


def handle(request: bytes) -> bytes:
    """Answers one request."""
    content_type, _, body = request.partition(b"\n")
    try:
        document = read_feed(body, content_type.decode("ascii", "replace"))
    except UnreadableFeed as error:
        return NONE + str(error).encode(errors="replace")
    return FEED + b"".join(to_lines(document))


def warm_up() -> None:
    """Reads one feed, every encoding and every time zone, because nothing can be read from a file afterwards."""
    places()
    for name in sorted(set(aliases.values())):
        with suppress(LookupError):  # an encoding that only another system has
            codecs.lookup(name)
    handle(b"application/xml\n" + _SAMPLE.encode())
