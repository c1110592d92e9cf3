"""The captions that come with the photo tweets: sentences, and the things named in them.

BLIP-2 captions are what a system reads or sees where there are no pixels; the plainer ones of CATR give labels. A photo
that was missing when its tweet was captioned is missing here too.
"""

import json
import re
from pathlib import Path

from training.datasets import data_folder

MAX_LABELS = 5
_PLACEHOLDER = "a man is standing on a skateboard in the snow"
_WORD = re.compile(r"[a-z]+")
# What a caption says besides things. The captioner knows some thousand words, and these are its commonest others.
_NOT_A_THING = frozenset(Path(__file__).with_name("not_a_thing.txt").read_text(encoding="utf-8").split())


def load_captions(corpus: str) -> dict[str, str]:
    """Reads the BLIP-2 caption of each photo, by its name; none for a photo that is missing."""
    path = data_folder() / "captions" / f"blip2_{corpus}.txt"
    captions = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, _, caption = line.partition(" :")
        if caption.strip() != _PLACEHOLDER:
            captions[Path(name).stem] = caption.strip()
    return captions


def load_plain_captions(corpus: str) -> dict[str, str]:
    """Reads the CATR caption of each photo, by its name."""
    path = data_folder() / "captions" / f"catr_{corpus}.json"
    read: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return {Path(name).stem: caption for name, caption in read.items()}


def load_labels(corpus: str) -> dict[str, tuple[str, ...]]:
    """Reads at most five things in each photo, by its name: the first ones that its CATR caption names."""
    return {name: things(caption) for name, caption in load_plain_captions(corpus).items()}


def things(caption: str) -> tuple[str, ...]:
    """Returns the first five distinct words of a caption that name a thing, as far as a list of other words tells."""
    named = (word for word in _WORD.findall(caption.lower()) if word not in _NOT_A_THING)
    return tuple(dict.fromkeys(named))[:MAX_LABELS]
