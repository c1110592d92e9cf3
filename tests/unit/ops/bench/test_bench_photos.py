"""`tagstream bench photos`: what counts as an answer that a photo has changed."""

from collections.abc import Sequence

import pytest
from pipeline_fakes import post

from ops.bench.photos import measure_photos
from tagstream.cli.commands import application
from tagstream.cli.errors import run_guarded
from tagstream.posts import Entity, Media, Post, TaggedPost
from workers.tagger.interface import ImageContext, PreparedPost
from workers.tagger.stub import StubTagger


class Suggestible(StubTagger):
    """Finds the first word of a post where it is told that it is there: by alt text surely, by a label less so."""

    def tag(self, prepared: Sequence[PreparedPost]) -> list[TaggedPost]:
        return [answer.model_copy(update={"entities": self._names(one)}) for answer, one in
                zip(super().tag(prepared), prepared, strict=True)]  # fmt: skip

    def _names(self, prepared: PreparedPost) -> tuple[Entity, ...]:
        told = " ".join(media.alt or "" for media in prepared.post.media)
        if "name" in told:
            return (self._name(0.9 if "dog" in prepared.image_context.labels else 0.8),)
        return (self._name(0.7),) if "bridge" in prepared.image_context.labels else ()

    @staticmethod
    def _name(score: float) -> Entity:
        return Entity(text="Post", type="LOC", start=0, end=4, score=score, in_hashtag=False, key="post")


def image_model(thumbnails: Sequence[bytes]) -> list[tuple[str, ...]]:
    return [(thumbnail.decode(),) if thumbnail != b"nothing" else () for thumbnail in thumbnails]


def pictured(number: int, *photos: tuple[str | None, bytes | None]) -> Post:
    return post(number, media=tuple(Media(alt=alt, thumbnail=thumbnail) for alt, thumbnail in photos))


def test_names_that_a_description_or_a_label_brings_are_counted_apart():
    figures = measure_photos(
        Suggestible(),
        image_model,
        [
            post(1),
            pictured(2, ("a name", None)),
            pictured(3, ("a name", b"dog")),
            pictured(4, (None, b"bridge"), (None, b"nothing")),
            pictured(5, ("a sunset", b"nothing")),
            pictured(6, (None, None)),
        ],
    )
    assert figures.document() == {
        "posts": 6,
        "with_photo": 4,
        "with_alt": 3,
        "photos": 4,
        "photos_labelled": 2,
        "changed_by_alt": 2,
        "changed_by_pixels": 1,
        "changed_score_by_pixels": 1,
    }


def test_the_sight_of_a_post_is_what_the_pipeline_would_give():
    seen: list[ImageContext] = []

    class Watching(StubTagger):
        def prepare(self, posts, contexts=None):
            seen.extend(contexts)
            return super().prepare(posts, contexts)

    measure_photos(Watching(), image_model, [pictured(1, (None, b"dog"), (None, b"bridge"))])
    assert seen == [ImageContext(), ImageContext(), ImageContext(("dog", "bridge"))]


def test_the_former_name_says_the_present_one_and_is_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_guarded(application, ("bench", "sight", "--models", "stub:")) == 2
    assert "It is called `tagstream bench photos` now" in capsys.readouterr().err
    assert run_guarded(application, ("bench", "--help")) == 0
    listed = capsys.readouterr().out
    assert "  photos" in listed
    assert "  sight" not in listed
