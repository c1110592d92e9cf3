"""The worth of the photos of a feed: the answers that their descriptions change, and those that their pixels change.

Each post with a photo is tagged three times: from its text alone, with what its author says of the photo, and with what
the image model sees in it besides. The figures do not say whether a change is for the better: a feed has no gold.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from tagstream.posts import Post, TaggedPost
from workers.images.interface import ImageModel, captions_of
from workers.images.step import image_context_of
from workers.tagger.interface import NO_IMAGE_CONTEXT, ImageContext, Tagger

_POSTS_AT_A_TIME = 64


@dataclass(frozen=True, slots=True)
class PhotoFigures:
    """Counts of posts, but for `photos` and `photos_labelled`.

    Attributes:
        posts: all of the feed.
        with_photo: those with a photo that can be seen, or is described.
        with_alt: those with a description by the author.
        photos: photos that can be seen.
        photos_labelled: those in which the image model is certain of anything.
        changed_by_alt: other names, or another type, with the description than from the text alone.
        changed_by_pixels: the same, with the labels besides than without them.
        changed_score_by_pixels: the same names, of which one has another score.
    """

    posts: int
    with_photo: int
    with_alt: int
    photos: int
    photos_labelled: int
    changed_by_alt: int
    changed_by_pixels: int
    changed_score_by_pixels: int

    def document(self) -> dict[str, int]:
        """Returns the figures as JSON."""
        return asdict(self)


def measure_photos(tagger: Tagger, image_model: ImageModel, posts: Sequence[Post]) -> PhotoFigures:
    """Tags every post with a photo in the three ways."""
    pictured = [post for post in posts if any(media.alt or media.thumbnail for media in post.media)]
    silent = [post.model_copy(update={"media": ()}) for post in pictured]
    thumbnails = [[media.thumbnail for media in post.media if media.thumbnail] for post in pictured]
    labels = [image_model(pictures) if pictures else [] for pictures in thumbnails]
    contexts = [
        image_context_of(post, seen, captions_of(image_model, pictures))
        for post, seen, pictures in zip(pictured, labels, thumbnails, strict=True)
    ]
    nothing = [NO_IMAGE_CONTEXT] * len(pictured)
    by_text = tag_all(tagger, silent, nothing)
    by_alt = tag_all(tagger, pictured, nothing)
    by_pixels = tag_all(tagger, pictured, contexts)
    changed = [_names(before) != _names(after) for before, after in zip(by_alt, by_pixels, strict=True)]
    scores = [before.entities != after.entities for before, after in zip(by_alt, by_pixels, strict=True)]
    return PhotoFigures(
        posts=len(posts),
        with_photo=len(pictured),
        with_alt=sum(any(media.alt for media in post.media) for post in pictured),
        photos=sum(map(len, thumbnails)),
        photos_labelled=sum(bool(one) for seen in labels for one in seen),
        changed_by_alt=sum(_names(one) != _names(other) for one, other in zip(by_text, by_alt, strict=True)),
        changed_by_pixels=sum(changed),
        changed_score_by_pixels=sum(score and not name for score, name in zip(scores, changed, strict=True)),
    )


def tag_all(tagger: Tagger, posts: Sequence[Post], contexts: Sequence[ImageContext]) -> list[TaggedPost]:
    """Returns the tagged posts, in order."""
    answers: list[TaggedPost] = []
    for start in range(0, len(posts), _POSTS_AT_A_TIME):
        part = slice(start, start + _POSTS_AT_A_TIME)
        answers += tagger.tag(tagger.prepare(posts[part], contexts[part]))
    return answers


def _names(post: TaggedPost) -> set[tuple[int, int, str]]:
    return {(entity.start, entity.end, entity.type) for entity in post.entities}
