"""The graphs of all systems and ablations, and all systems on the tweets of real photos: minutes."""

from pathlib import Path

import pytest
from by_heart import learns_nothing_from_photos, learns_the_photos, learns_the_tweets
from exported import answers_as_itself
from photo_samples import Samples
from variants import FAMILIES, VARIANTS, Variant

from training.inputs.batch import Sizes


def named(variants: list[Variant]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("variant", variants, ids=[variant.name for variant in variants])


@named(FAMILIES)
def test_the_tweets_of_real_photos_are_learnt_by_heart(variant: Variant, samples: Samples) -> None:
    learns_the_tweets(variant, samples)


@named([variant for variant in FAMILIES if variant.sees])
def test_the_photos_alone_are_learnt_and_others_are_worse(variant: Variant, samples: Samples) -> None:
    learns_the_photos(variant, samples)


@named([variant for variant in FAMILIES if not variant.sees])
def test_who_does_not_see_learns_nothing_from_photos(variant: Variant, samples: Samples) -> None:
    learns_nothing_from_photos(variant, samples)


@named(list(VARIANTS.values()))
def test_the_graph_answers_as_the_system_at_any_length(variant: Variant, sizes: Sizes, tmp_path: Path) -> None:
    answers_as_itself(variant, sizes, tmp_path)
