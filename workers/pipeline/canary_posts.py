"""Canary posts: known to be good, tagged by a stage that failed on another post (`canaries.py`).

They never leave the stage that works on them. Each is a little different from all before, because hashtags and
sequences that came before are cached, and a cache would answer for a network that is broken.
"""

from datetime import UTC, datetime
from itertools import count

from tagstream.posts import Author, Entity, Media, Post, SegmentedHashtag, TaggedPost
from tagstream.text.hashtags import hashtags_of

_SOURCE = "canary"
_NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
# In one of these languages every model reads; a post is read in any that it names.
_LANGS = ("en", "und", "es", "fr", "de", "pt", "it", "nl", "ja", "ar", "tr", "id", "ru", "hi", "ko", "pl")
_SHARED = [
    name for name in TaggedPost.model_fields if name in Post.model_fields and name not in ("hashtags", "version")
]
_numbers = count(1)


def canary_posts() -> tuple[Post, ...]:
    """Makes a plain post, and one with all that a post may have but pictures."""
    number = next(_numbers)
    plain = f"Storm {number} hits London"
    text = f"Angela Merkel meets NASA in Paris &amp; Berlin: https://example.org/{number} #RainInOslo{number}"
    return (
        Post(
            id=f"{_SOURCE}:a{number}",
            source=_SOURCE,
            created_at=_NOON,
            langs=_LANGS,
            text=plain,
        ),
        Post(
            id=f"{_SOURCE}:b{number}",
            source=_SOURCE,
            author=Author(id="ann", handle="ann"),
            created_at=_NOON,
            langs=_LANGS,
            text=text,
            hashtags=hashtags_of(text),
            media=(Media(alt=f"A boat, {number} years old", reason="unreachable"),),
        ),
    )


def canary_answers() -> tuple[TaggedPost, ...]:
    """Makes such posts as a tagger would answer them."""
    return tuple(_answered(post) for post in canary_posts())


def _answered(post: Post) -> TaggedPost:
    name = "Paris" if "Paris" in post.text else "London"
    start = post.text.index(name)
    found = Entity(text=name, type="LOC", start=start, end=start + len(name), score=0.9, key=name.lower())
    return TaggedPost(
        **{name: getattr(post, name) for name in _SHARED},
        hashtags=tuple(SegmentedHashtag(**tag.model_dump(), words=("Rain", "In", "Oslo")) for tag in post.hashtags),
        entities=(found,),
        image_labels=("boat",),
        model="canary@1",
        generation=1,
    )
