"""The tagger as the pipeline sees it: two steps, so that batches can be formed between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tagstream.posts import Post, TaggedPost


@dataclass(frozen=True, slots=True)
class ImageContext:
    """The words that the photos of a post add, and the causes for which some are missing.

    `labels` come from the image model, the most certain first; `captions` are sentences from a captioner, in the order
    of the photos. `degraded` names each part that could not be seen now. Such a post is tagged all the same, and may be
    tagged again when the cause has passed.
    """

    labels: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """The words that the tagger reads: the captions, or the labels where there are no captions."""
        return self.captions or self.labels


NO_IMAGE_CONTEXT = ImageContext()


@dataclass(frozen=True, slots=True)
class PreparedPost:
    """A post turned into model input.

    `length` is the padded length, in word pieces, of each of its sequences: the length bucket. Only equal lengths share
    a batch. `sequences` counts the input sequences: 1, more for a very long post, 0 for a post that the model need not
    see. `payload` belongs to the tagger.
    """

    post: Post
    length: int
    sequences: int
    payload: Any = None
    image_context: ImageContext = NO_IMAGE_CONTEXT


class Tagger(Protocol):
    """A tagger finds the entities of posts.

    Both methods are pure computation: the pipeline runs them in an executor, never on the event loop. An answer never
    depends on the posts that share its batch (invariant 8). An answer with a degraded image context says so and has an
    even generation, so that the same model's whole answer replaces it (invariant 9).
    """

    model: str
    generation: int

    def prepare(self, posts: Sequence[Post], contexts: Sequence[ImageContext] | None = None) -> list[PreparedPost]:
        """Returns the model input of each post, in order; `contexts` are the image contexts of the posts."""
        ...

    def tag(self, prepared: Sequence[PreparedPost]) -> list[TaggedPost]:
        """Returns the tagged posts, in order.

        Raises:
            ModelUnavailable: the model cannot answer now, whatever the posts.
            UntaggablePost: one of these posts can never be tagged; the runner finds it by splitting the batch.
        """
        ...


def answer_generation(generation: int, image_context: ImageContext) -> int:
    """Returns the generation of an answer: that of the model, with the lowest bit 0 for a degraded image context."""
    return generation & ~1 if image_context.degraded else generation
