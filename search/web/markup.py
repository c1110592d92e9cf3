"""Posts as pieces of HTML: names marked, hostile characters made visible, everything escaped.

A template gets `Markup` from here and escapes everything else by itself. Only links to http and https are links.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode, urlsplit

from markupsafe import Markup, escape

from search.documents import TOLERATED_AHEAD
from search.highlights import highlights
from search.index import Bucket
from search.query import ParsedQuery
from tagstream.posts import Entity, TaggedPost
from tagstream.text.terminal_text import visible, visible_lines

MAX_TEXT_LENGTH = 4_000
_SHOWN_LENGTH = 300
TYPE_NAMES = {"PER": "person", "LOC": "place", "ORG": "organisation", "MISC": "other"}


def shown(text: object, limit: int = _SHOWN_LENGTH) -> str:
    """Returns a text of one line as it may be shown; what nobody would see is made visible, the end is cut."""
    return visible(str(text), limit)


def name_address(type_: str, key: str) -> str:
    """Returns the address of the page of a name."""
    return f"/name?{urlencode({'type': type_, 'key': key})}"


def search_address(**given: object) -> str:
    """Returns the address of a search with these parameters, without the empty ones."""
    return f"/search?{_parameters(given)}"


def api_address(**given: object) -> str:
    """Returns the address of the same search in the JSON API."""
    return f"/api/posts?{_parameters(given)}"


def _parameters(given: Mapping[str, object]) -> str:
    return urlencode({name: value for name, value in given.items() if value not in (None, "")})


def web_address(url: str | None) -> str | None:
    """Returns the address if a browser may be sent there, None otherwise.

    One with a user in it (`https://bbc.co.uk@evil.example`) looks as if it led elsewhere.
    """
    if not url:
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        return None
    return quote(url, safe=":/?#[]@!$&'()*+,;=%-._~")


def marked(post: TaggedPost, query: ParsedQuery | None = None) -> Markup:
    """Returns the text of the post with its names as links to their pages, and the words that a query found marked."""
    text = post.text
    words = [] if query is None else highlights(query, text)
    pieces: list[Markup] = []
    done = 0
    for entity in _apart(post.entities):
        if entity.end > MAX_TEXT_LENGTH:
            break
        pieces.append(_lines(text, done, entity.start, words))
        pieces.append(
            Markup('<a class="name {}" href="{}" title="{}">{}</a>').format(
                entity.type.lower(),
                name_address(entity.type, entity.key),
                f"{TYPE_NAMES[entity.type]}, {entity.score:.0%}",
                _lines(text, entity.start, entity.end, words),
            )
        )
        done = entity.end
    pieces.append(_lines(text, done, MAX_TEXT_LENGTH, words))
    if len(text) > MAX_TEXT_LENGTH:
        pieces.append(Markup("…"))
    return Markup("").join(pieces)


def _lines(text: str, start: int, end: int, words: Sequence[tuple[int, int]]) -> Markup:
    """Returns a piece of a text, escaped, with the words within it marked."""
    pieces: list[Markup] = []
    for word_start, word_end in words:
        first, last = max(word_start, start), min(word_end, end)
        if first < last:
            pieces.append(escape(visible_lines(text[start:first])))
            pieces.append(Markup("<mark>{}</mark>").format(visible_lines(text[first:last])))
            start = last
    return Markup("").join([*pieces, escape(visible_lines(text[start:end]))])


def _apart(entities: Sequence[Entity]) -> list[Entity]:
    """Returns the entities in order, without those that begin inside another."""
    found: list[Entity] = []
    for entity in sorted(entities, key=lambda entity: (entity.start, -entity.end)):
        if not found or entity.start >= found[-1].end:
            found.append(entity)
    return found


def clock_time(moment: datetime) -> Markup:
    """Returns a time in UTC, for people and machines."""
    return Markup('<time datetime="{}">{}</time>').format(moment.isoformat(), f"{moment:%Y-%m-%d %H:%M}")


def claims_later_time(post: TaggedPost, time: datetime | None) -> bool:
    """Returns whether the post claims a later time than it was received at: `time`, where that is known, or now."""
    return post.created_at - (time or datetime.now(UTC)) > TOLERATED_AHEAD


def sparkline(series: Sequence[int]) -> Markup:
    """Returns a row of counts as a small drawing; its label says first, last and highest."""
    return _line(list(enumerate(series)))


def time_line(counts: Sequence[tuple[datetime, int]], noun: str) -> Markup:
    """Returns counts of some minutes as a drawing over its axis."""
    if not counts:
        return Markup("")
    axis = _axis(counts[0][0], counts[-1][0], f"minute by minute, at most {max(count for _, count in counts):,} {noun}")
    return _line([(moment.timestamp(), count) for moment, count in counts]) + axis


def _line(points: Sequence[tuple[float, int]]) -> Markup:
    """Returns counts, each with its place from left to right, as a line; one count alone makes none."""
    if len(points) < 2:
        return Markup("")
    (first, first_count), (last, last_count) = points[0], points[-1]
    most = max(count for _, count in points)
    drawn = " ".join(
        f"{(place - first) * 100 / ((last - first) or 1):.1f},{28 - 26 * count / (most or 1):.1f}"
        for place, count in points
    )
    return Markup(
        '<svg class="sparkline" viewBox="0 0 100 30" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<polyline points="{}"/></svg>'
    ).format(f"from {first_count} to {last_count}, at most {most}", drawn)


def _axis(start: datetime, end: datetime, between: str) -> Markup:
    """Returns what stands below a drawing over time: its two ends, and what it is measured in."""
    return Markup('<p class="axis quiet">{} <span>{}</span> {}</p>').format(clock_time(start), between, clock_time(end))


def posts_in_words(count: int) -> str:
    """Returns a number of posts with its noun."""
    return f"{count:,} post{'' if count == 1 else 's'}"


def length_of_time(length: timedelta) -> str:
    """Returns a length of time in its largest unit of which it has two, rounded down."""
    seconds = int(length.total_seconds())
    for size, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size:,} {unit}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


def _spoken(seconds: int) -> str:
    """Returns a length of time in words."""
    for length, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds % length == 0:
            return f"{seconds // length:,} {unit}{'' if seconds == length else 's'}"
    return f"{seconds:,} seconds"


def bars(buckets: Sequence[Bucket], seconds: int, address: str) -> Markup:
    """Returns counts over time as a drawing over its axis; each bar is a link that asks for its own stretch of time."""
    if not buckets:
        return Markup("")
    most = max(bucket.posts for bucket in buckets)
    highest = most or 1
    end = buckets[-1].start + timedelta(seconds=seconds)
    width = 600 / len(buckets)
    drawn = [
        Markup(
            '<a href="{}{}since={}&amp;until={}"><title>{}</title>'
            '<rect class="room" x="{:.2f}" y="0" width="{:.2f}" height="80"/>'
            '<rect x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}"/></a>'
        ).format(
            address,
            "&" if "?" in address else "?",
            quote(bucket.start.isoformat()),
            quote(datetime.fromtimestamp(bucket.start.timestamp() + seconds, bucket.start.tzinfo).isoformat()),
            f"{bucket.start:%Y-%m-%d %H:%M}: {posts_in_words(bucket.posts)}",
            index * width,
            width,
            index * width,
            80 - 78 * bucket.posts / highest,
            max(width - 0.5, 0.5),
            78 * bucket.posts / highest,
        )
        for index, bucket in enumerate(buckets)
    ]
    return Markup(
        '<svg class="histogram" viewBox="0 0 600 80" preserveAspectRatio="none" role="group" '
        'aria-label="posts over time">{}</svg>{}'
    ).format(
        Markup("").join(drawn),
        _axis(buckets[0].start, end, f"each bar {_spoken(seconds)}, at most {posts_in_words(most)}"),
    )
