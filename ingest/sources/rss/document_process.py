"""What reads feeds in a sandbox: the bytes of a document in, its entries out as plain lines (see `ingest/sandbox/`).

::

    request  the Content-Type, a newline, the document
    answer   b"feed\\n" and the lines of `to_lines`, or b"none\\n" and why it is no feed
"""

import codecs

from ingest.sources.rss.document import to_lines
from ingest.sources.rss.reader import UnreadableFeed, read_feed

FEED, NONE = b"feed\n", b"none\n"

_ENCODINGS = (
    "ascii utf-8 utf-16 utf-16-le utf-16-be utf-32 utf-32-le utf-32-be latin-1 iso8859-2 iso8859-3 iso8859-4 iso8859-5 "
    "iso8859-6 iso8859-7 iso8859-8 iso8859-9 iso8859-10 iso8859-11 iso8859-13 iso8859-14 iso8859-15 iso8859-16 cp437 "
    "cp850 cp852 cp866 cp874 cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 koi8-r koi8-u mac-roman "
    "mac-cyrillic gb18030 gb2312 gbk hz big5 big5hkscs euc-jp shift_jis cp932 iso2022_jp euc-kr cp949 iso2022_kr "
    "tis-620"
)
_SAMPLE = (
    "<rss><channel><title>Café</title><item><title>&#8217;</title><pubDate>2 mai 2024 14:30 CEST</pubDate>"
    "<description>&lt;p&gt;R&amp;amp;D&lt;/p&gt;&lt;img src=a&gt;</description></item></channel></rss>"
)


def handle(request: bytes) -> bytes:
    """The answer to one request."""
    content_type, _, body = request.partition(b"\n")
    try:
        document = read_feed(body, content_type.decode("ascii", "replace"))
    except UnreadableFeed as error:
        return NONE + str(error).encode(errors="replace")
    return FEED + b"".join(to_lines(document))


def warm_up() -> None:
    """Reads one feed, and an encoding of each kind, because what is not imported by now never will be."""
    for name in _ENCODINGS.split():
        codecs.lookup(name)
        "a".encode(name).decode(name)
    handle(b"application/xml\n" + _SAMPLE.encode())
