"""The tagger over plain texts: strings in, tagged posts out, without a feed or an index.

::

    text ─▶ Post (hashtags found in it) ─▶ prepare ─▶ batches of similar length ─▶ tag ─▶ TaggedPost.entities

The command `tagstream tag TEXT` and the Python API read texts through here, so both give the answers of a feed.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from threading import Lock

from pydantic import ValidationError

from tagstream.errors import BadSettings
from tagstream.posts import Media, Post, TaggedPost, clean_text
from tagstream.text.hashtags import hashtags_of
from workers.tagger.evaluation import tag_by_length
from workers.tagger.interface import Tagger

_UNDATED = datetime(1970, 1, 1, tzinfo=UTC)


class TextTagger:
    """A tagger of texts. Several threads may call it at once.

    Entities carry offsets in code points of the text; a lone surrogate of the text is read as U+FFFD, which keeps every
    offset. The answers of a text do not depend on the texts beside it.
    """

    def __init__(self, tagger: Tagger) -> None:
        self._tagger = tagger
        # Preparing shares the cache of the hashtag segmenter, which is made for one thread.
        self._preparing = Lock()

    @property
    def model(self) -> str:
        """The names and versions of the models that answer: `mner@1+image_encoder@1`."""
        return self._tagger.model

    def tag(self, texts: Iterable[str]) -> list[TaggedPost]:
        """Tags each text as a post of its own; returns the tagged posts in the order of the texts.

        Raises:
            BadSettings: a text is longer than a post may be.
            ModelUnavailable: the model runs on a server that does not answer now.
        """
        posts = [post_of(text) for text in texts]
        with self._preparing:
            prepared = self._tagger.prepare(posts)
        return tag_by_length(prepared, self._tagger.tag)


def post_of(text: str, alt: str | None = None) -> Post:
    """Returns an undated post of that text, without an author; `alt` describes its picture.

    Raises:
        BadSettings: the text or the description is longer than that of a post may be.
    """
    text = clean_text(text)
    try:
        media = (Media(alt=clean_text(alt)),) if alt else ()
        return Post(id="text:1", source="text", created_at=_UNDATED, text=text, hashtags=hashtags_of(text), media=media)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BadSettings(f"{first['loc'][0]} cannot be that of a post: {first['msg']}") from error
