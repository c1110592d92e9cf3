"""A folder of data with small corpora, in which the capital of a word tells that it is a name, and an encoder."""

import json
from pathlib import Path

import torch
from transformers import BertConfig, BertModel, BertTokenizer

NAMES = [("Paris", "LOC"), ("Anna", "PER"), ("Acme", "ORG"), ("Oslo", "LOC"), ("Omar", "PER"), ("Volt", "MISC")]
CAPTION = "a red bus on a street"


def write_corpora(folder: Path) -> Path:
    """Both photo sets, 24 tweets to learn from and 6 of each other part; every second tweet has a photo."""
    (folder / "captions").mkdir(parents=True)
    for corpus in ("twitter2015", "twitter2017"):
        place = folder / "mner" / corpus
        place.mkdir(parents=True)
        for part, count in (("train", 24), ("valid", 6), ("test", 6)):
            (place / f"{part}.txt").write_text("".join(_tweet(number) for number in range(count)))
        blip, catr = folder / "captions" / f"blip2_{corpus}.txt", folder / "captions" / f"catr_{corpus}.json"
        blip.write_text("".join(f"{number}.jpg :{CAPTION}\n" for number in range(0, 24, 2)))
        catr.write_text(json.dumps({f"{number}.jpg": CAPTION for number in range(0, 24, 2)}))
    return folder


def _tweet(number: int) -> str:
    name, kind = NAMES[number % len(NAMES)]
    other, other_kind = NAMES[(number * 5 + 1) % len(NAMES)]
    words = [
        ("we", "O"),
        ("saw", "O"),
        (name, f"B-{kind}"),
        ("near", "O"),
        (other, f"B-{other_kind}"),
        ("#GoTeam", "O"),
    ]
    return f"IMGID:{number}\n" + "".join(f"{word}\t{tag}\n" for word, tag in words) + "\n"


def save_small_encoder(folder: Path) -> Path:
    """A BERT of two small layers and its vocabulary."""
    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "we", "saw", "near", "paris", "anna", "acme", "oslo", "omar"]
    vocabulary = {word: number for number, word in enumerate([*words, "volt", "#", "go", "##team"])}
    BertTokenizer(vocab=vocabulary).save_pretrained(str(folder))
    torch.manual_seed(5)
    config = BertConfig(vocab_size=17, hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
    BertModel(config).save_pretrained(str(folder))
    return folder
