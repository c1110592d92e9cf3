"""What a tagger is: two steps, so that batches can be formed between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tagstream.posts import Post, TaggedPost


@dataclass(frozen=True, slots=True)
class ImageContext:
    """What the photos of a post show: `labels`, the most certain first; and in `degraded` what could not be seen now.

    `captions` are sentences about the photos, in their order, where there is a captioner. A post with anything in
    `degraded` is tagged all the same, and may be tagged again when that has passed.
    """

    labels: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """What the tagger reads of the photos: their captions, else their labels."""
        return self.captions or self.labels


NO_IMAGE_CONTEXT = ImageContext()


@dataclass(frozen=True, slots=True)
class PreparedPost:
    """A post turned into model input.

    `length` is the padded length in word pieces of each of its rows (a length bucket: only equal lengths share a
    batch); `rows` how many rows it needs (1, more for very long posts, 0 for one that the model need not see).
    `payload` is the tagger's own. `image_context` is what its photos show.
    """

    post: Post
    length: int
    sequences: int
    payload: Any = None
    image_context: ImageContext = NO_IMAGE_CONTEXT


class Tagger(Protocol):
    """Finds the entities of posts. Both methods are pure computation: run them in an executor, never on the loop.

    An answer never depends on the posts that share its batch (invariant 8). Where the image context is degraded, the
    answer says so, and its generation is even: the same model's whole answer replaces it (invariant 9).

    Raises (`tag`):
        ModelUnavailable: the model cannot answer now, whatever the posts.
        UntaggablePost: one of these posts can never be tagged; the runner finds it by splitting the batch.
    """

    model: str
    generation: int

    def prepare(self, posts: Sequence[Post], contexts: Sequence[ImageContext] | None = None) -> list[PreparedPost]:
        """Model input for each post, in order; `contexts` says what the photos of each show."""
        ...

    def tag(self, prepared: Sequence[PreparedPost]) -> list[TaggedPost]:
        """The tagged posts, in the order given."""
        ...


def answer_generation(generation: int, image_context: ImageContext) -> int:
    """The generation of an answer: the model's, its lowest bit 0 where something could not be seen."""
    return generation & ~1 if image_context.degraded else generation
