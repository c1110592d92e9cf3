"""What a tagger is: two steps, so that batches can be formed between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tagstream.posts import Post, TaggedPost


@dataclass(frozen=True, slots=True)
class PreparedPost:
    """A post turned into model input.

    `length` is the padded length in word pieces of each of its rows (a length bucket: only equal lengths share a
    batch); `rows` how many rows it needs (1, more for very long posts, 0 for one that the model need not see).
    `payload` is the tagger's own.
    """

    post: Post
    length: int
    rows: int
    payload: Any = None


class Tagger(Protocol):
    """Finds the entities of posts. Both methods are pure computation: run them in an executor, never on the loop.

    An answer never depends on the posts that share its batch (invariant 8).

    Raises (`tag`):
        ModelUnavailable: the model cannot answer now, whatever the posts.
        UntaggablePost: one of these posts can never be tagged; the runner finds it by splitting the batch.
    """

    model: str
    generation: int

    def prepare(self, posts: Sequence[Post]) -> list[PreparedPost]:
        """Model input for each post, in order."""
        ...

    def tag(self, prepared: Sequence[PreparedPost]) -> list[TaggedPost]:
        """The tagged posts, in the order given."""
        ...
