"""Systems built from the table of variants, and taught a batch by heart."""

import torch
from torch import nn
from variants import Variant

from training.inputs.batch import Sizes, TweetBatch
from training.systems import build
from training.systems.base import System


def made(variant: Variant, sizes: Sizes, seed: int = 1) -> System:
    """With random weights by the seed."""
    torch.manual_seed(seed)
    return build(variant.system, sizes, variant.all_options)


def learn(system: System, batch: TweetBatch, good: float, rate: float, steps: int = 1000) -> float:
    """The loss without dropout, once it is good or the steps are over.

    Mostly good after 100 to 400; how many it takes differs with how a processor adds.
    """
    optimizer = torch.optim.Adam(system.parameters(), rate)
    for step in range(steps):
        system.train()
        optimizer.zero_grad()
        torch.autograd.backward(system.loss(batch))
        nn.utils.clip_grad_norm_(system.parameters(), 5.0)
        optimizer.step()
        if step % 10 == 9 and loss_of(system, batch) < good:
            break
    return loss_of(system, batch)


@torch.inference_mode()
def loss_of(system: System, batch: TweetBatch) -> float:
    """Without dropout."""
    return system.eval().loss(batch).item()
