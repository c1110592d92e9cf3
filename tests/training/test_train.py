"""The tweet sets as training examples."""

import pytest

from training.datasets import allowed_tags, load_examples
from workers.tagger.hashtag_words import read_words

POST = "IMGID:{n}\nAda\tB-PER\nLovelace\tI-PER\nvisits\tO\n#Paris\tB-{loc}\nagain\t{stray}\n\n"


@pytest.fixture
def data(tmp_path, monkeypatch):
    for name, stray in (("twitter2015", "I-OTHER"), ("twitter2017", "O")):
        folder = tmp_path / "data/mner" / name
        folder.mkdir(parents=True)
        posts = "".join(POST.format(n=n, loc="LOC", stray=stray) for n in range(8))
        for part in ("train", "valid"):
            (folder / f"{part}.txt").write_text(posts)
        captions = tmp_path / "data/captions"
        captions.mkdir(exist_ok=True)
        lines = "".join(f"{n}.jpg :a woman in paris\n" for n in range(7))
        placeholder = "7.jpg :a man is standing on a skateboard in the snow\n"
        (captions / f"blip2_{name}.txt").write_text(lines + placeholder)
    monkeypatch.setenv("TAGSTREAM_DATA", str(tmp_path / "data"))
    return tmp_path


@pytest.mark.usefixtures("data")
def test_what_the_annotators_left_unsaid_is_unknown():
    example = load_examples("twitter2015", "train")[0]
    assert example.text == "Ada Lovelace visits #Paris again"
    words, line_starts = read_words(example.text, lambda hashtag: (hashtag,))
    assert [word.surface for word in words] == ["Ada", "Lovelace", "visits", "#", "Paris", "again"]
    assert allowed_tags(example, words, line_starts) == [2, 4, 1, 1, 8, 511]
    assert example.caption == "a woman in paris"
    assert load_examples("twitter2017", "train")[7].caption == ""
