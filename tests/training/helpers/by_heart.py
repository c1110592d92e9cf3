"""What every system must make of the tweets of real photos."""

from dataclasses import replace

from learning import learn, loss_of, made
from photo_samples import Samples
from variants import Variant

GOOD, STEPS = 0.05, 900


def learns_the_tweets(variant: Variant, samples: Samples) -> None:
    """Fails unless all thirty are known by heart afterwards."""
    batch = samples.batch
    system = made(wider(variant), samples.sizes)
    assert learn(system, batch, GOOD, variant.rate, STEPS) < GOOD
    gold = [tags[:length] for tags, length in zip(batch.tags.tolist(), batch.lengths.tolist(), strict=True)]
    assert system.decode(batch) == gold


def learns_the_photos(variant: Variant, samples: Samples) -> None:
    """Fails unless photos are learnt where words say nothing, and the photos of other tweets are worse."""
    batch, shuffled = samples.photos_alone(variant.sees)
    system = made(wider(variant), samples.sizes)
    assert learn(system, batch, GOOD, variant.rate, STEPS) < GOOD
    assert loss_of(system, shuffled) > 1.0


def learns_nothing_from_photos(variant: Variant, samples: Samples) -> None:
    """Fails if a system that does not see tells tweets apart whose words are alike."""
    batch, _ = samples.photos_alone(variant.sees)
    assert learn(made(wider(variant), samples.sizes), batch, GOOD, variant.rate, 100) > 1.0


def wider(variant: Variant) -> Variant:
    """Large enough for thirty tweets."""
    return replace(variant, small={**variant.small, **({"size": 48} if variant.small.get("size") else {})})
