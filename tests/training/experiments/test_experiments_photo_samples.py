"""Tweets with real photos are learnt by heart, and so are the photos alone. `every_variant.py` has all systems."""

import pytest
from by_heart import learns_nothing_from_photos, learns_the_photos, learns_the_tweets
from photo_samples import Samples
from variants import VARIANTS

# The others take longer.
QUICK = ["bilstm_crf", "trimod", "bert_crf", "gvatt_bert_crf"]
SEEING = ["gvatt_hbilstm_crf", "acn", "cwi", "trimod", "gvatt_bert_crf"]


@pytest.mark.parametrize("name", QUICK)
def test_the_tweets_of_real_photos_are_learnt_by_heart(name: str, samples: Samples) -> None:
    learns_the_tweets(VARIANTS[name], samples)


@pytest.mark.parametrize("name", SEEING)
def test_the_photos_alone_are_learnt_and_others_are_worse(name: str, samples: Samples) -> None:
    learns_the_photos(VARIANTS[name], samples)


@pytest.mark.parametrize("name", ["bilstm_crf", "bert_crf"])
def test_who_does_not_see_learns_nothing_from_photos(name: str, samples: Samples) -> None:
    learns_nothing_from_photos(VARIANTS[name], samples)
