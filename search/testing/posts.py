"""Posts for the contract suite, and short ways to ask an index."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from search.index import Change, EntityIndex, Indexable, Query, SourceCursor, WriteReport
from tagstream.posts import Author, Entity, EntityType, Media, SegmentedHashtag, TaggedPost
from tagstream.text.entity_keys import fold_key

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
OBSERVED = START + timedelta(days=1)

PEOPLE = {"Merkel", "Macron", "Obama"}


def entity(text: str, type: EntityType | None = None) -> Entity:
    """Returns a mention of a name; of those in `PEOPLE` the type is PER, else LOC."""
    kind: EntityType = type or ("PER" if text in PEOPLE else "LOC")
    return Entity(text=text, type=kind, start=0, end=len(text), score=0.9, key=fold_key(text))


def tagged(
    name: str,
    text: str = "words",
    *,
    minute: float = 0,
    author: str | None = None,
    names: Iterable[str] = (),
    source: str = "jsonl",
    revision: int = 0,
    generation: int = 1,
    created_at: datetime | None = None,
    hashtags: Iterable[SegmentedHashtag] = (),
    media: Iterable[Media] = (),
    entities: Iterable[Entity] = (),
    lang: str | None = None,
    handle: str | None = None,
) -> TaggedPost:
    """Returns a tagged post, `minute` minutes after `START`, that mentions `names` and `entities`."""
    return TaggedPost(
        id=f"{source}:{name}",
        source=source,
        author=None if author is None else Author(id=author, handle=handle),
        created_at=created_at or START + timedelta(minutes=minute),
        revision=revision,
        text=text,
        lang=lang,
        hashtags=tuple(hashtags),
        media=tuple(media),
        entities=(*(entity(one) for one in names), *entities),
        model="stub@1",
        generation=generation,
    )


def indexable(post: TaggedPost, position: int = 0, observed_at: datetime = OBSERVED) -> Indexable:
    return Indexable(post, observed_at, position)


async def write(index: EntityIndex, *changes: Change | TaggedPost, cursor: SourceCursor | None = None) -> WriteReport:
    """Writes, and waits until searches see it."""
    report = await index.write([indexable(one) if isinstance(one, TaggedPost) else one for one in changes], cursor)
    await index.refresh()
    return report


async def found(index: EntityIndex, text: str, **parts: object) -> list[str]:
    """Returns the names of the posts that a query finds, newest first."""
    page = await index.search(Query(text, size=100, **parts))  # type: ignore[arg-type]
    assert page.total == len(page.posts)
    return [post.id.rpartition(":")[2] for post in page.posts]


async def stored(index: EntityIndex) -> list[TaggedPost]:
    """Returns every visible post, in order of id."""
    return [post async for post in index.documents()]


async def letters(index: EntityIndex, cause: str | None = None) -> Sequence[str]:
    """Returns the origins of the dead letters."""
    return sorted([letter.origin async for letter in index.dead_letters(cause)])
