"""Every system that sees learns the photo where words say nothing: minutes."""

from dataclasses import replace

import pytest
from learning import learn, loss_of, made
from tweets import make_tweet, with_photo_of, without_photo
from variants import VARIANTS, Variant

from training.inputs.batch import Encoded, Sizes, collate

ALL = list(VARIANTS.values())
SEEING = [variant for variant in ALL if variant.sees]
# They set how large or how regularised a system is, not what it is made of.


def named(variants: list[Variant]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("variant", variants, ids=[variant.name for variant in variants])


# The served tagger is trained by another command.


@named(SEEING)
def test_where_words_say_nothing_the_photo_is_learnt(variant: Variant, sizes: Sizes) -> None:
    """Four tweets alike but for tags and photo: who cannot see has nothing to tell them apart by."""
    words = without_photo(make_tweet(21, 3))
    tweets: list[Encoded] = []
    for seed in range(4):
        other = make_tweet(300 + seed, 3)
        tweets.append(replace(with_photo_of(words, other), tags=other.tags))
    shuffled = [with_photo_of(tweet, other) for tweet, other in zip(tweets, tweets[1:] + tweets[:1], strict=True)]
    system = made(variant, sizes)
    assert learn(system, collate(tweets), good=0.05, rate=variant.rate) < 0.05
    assert loss_of(system, collate(shuffled)) > 1.0
