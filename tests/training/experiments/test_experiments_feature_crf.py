"""The feature CRFs: what they look at, that they learn, and that a run of one is a row like any other."""

import json
import subprocess
import sys

import pytest

from tagstream.errors import BadSettings, CorruptState, UnreadableInput
from training.experiments import feature_run, run
from training.experiments.recipe import CONFIGS, SystemRecipe
from training.experiments.run import Experiment, read_row, restore, train
from training.inputs.gazetteers import NameLists, WordClusters
from training.inputs.sentences import Sentence
from training.inputs.token_features import stanford_features, tner_features, word_shape
from training.systems import feature_crf
from training.systems.feature_crf import FeatureCrf, legal
from workers.tagger.conll import ConllPost
from workers.tagger.crf_decoder import TAGS

TWEETS = [
    ("Anna Smith visits London", "B-PER I-PER O B-LOC"),
    ("London is cold", "B-LOC O O"),
    ("the Lakers beat Boston", "O B-ORG O B-LOC"),
    ("I love Paris", "O O B-LOC"),
    ("watch Star Wars with Anna", "O B-MISC I-MISC O B-PER"),
    ("good morning", "O O"),
]


def sentence(text: str, tags: str = "") -> Sentence:
    tokens = tuple(text.split())
    named = tags.split() or ["O"] * len(tokens)
    spans, start = [], 0
    for token, tag in zip(tokens, named, strict=True):
        spans.append((start, start + len(token), tag))
        start += len(token) + 1
    return Sentence(tokens, tuple(TAGS.index(tag) for tag in named), None, ConllPost(text, tuple(spans)))


SENTENCES = [sentence(text, tags) for text, tags in TWEETS]
GOLD = [list(one.tags) for one in SENTENCES]


@pytest.fixture
def lists(tmp_path):
    folder = tmp_path / "lists"
    folder.mkdir()
    (folder / "location").write_text("London\nNew York City\nst. james's park\n\n")
    (folder / "sports.sports_team").write_text("lakers\nNew York City\nLakers\na b c d e f\n")
    (folder / "dictionaries.conf").write_text("London\n")
    return NameLists.read(folder)


@pytest.fixture
def clusters(tmp_path):
    path = tmp_path / "clusters"
    # 6 is 110, whose lowest bit comes first: left, right, right.
    path.write_text("london 6\n: 1\n\u2028 3\n")
    return WordClusters.read(path)


@pytest.fixture(params=["stanford", "tner"])
def system(request, lists, clusters, monkeypatch):
    monkeypatch.setattr(feature_crf, "load_name_lists", lambda: lists)
    monkeypatch.setattr(feature_crf, "load_word_clusters", lambda: clusters)
    return FeatureCrf(features=request.param, c1=0.0, c2=0.01)


def test_it_learns_by_heart_and_answers_the_same_after_it_was_saved(system, tmp_path):
    system.fit(SENTENCES)
    assert system.predict(SENTENCES) == GOLD
    assert system.parameters > 100
    assert system.iterations_done > 1
    system.save(tmp_path / "best.crf")
    system.fit(SENTENCES[:1])
    assert system.predict(SENTENCES) != GOLD
    system.load(tmp_path / "best.crf")
    assert system.predict(SENTENCES) == GOLD


def test_the_same_tweets_give_the_same_weights(system, tmp_path):
    for name in ("first", "second"):
        system.fit(SENTENCES)
        system.save(tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_features_stand_in_one_order_in_any_process():
    program = (
        "from training.inputs.token_features import *\n"
        "tokens = 'the same words and the same order of them'.split()\n"
        "lists = NameLists(('a', 'b'), {'the same': (0, 1), 'same words': (1,)})\n"
        "print(stanford_features(tokens), tner_features(tokens, lists, WordClusters({'the': '01' * 10})))\n"
    )
    # The order of a set of strings follows from the seed of the hashes.
    said = [
        subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, env={"PYTHONHASHSEED": seed}, timeout=120
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1] != b""


def test_hostile_tokens_survive(system):
    system.fit(SENTENCES)
    odd = [Sentence(tokens, (0,) * len(tokens), None, SENTENCES[0].gold) for tokens in (
        (), ("",), ("\x00",), ("x" * 5000,), ("=", ":", "a:b=c\\"), ("🧵", "\u202e", "ﬁ"), ("a",) * 300
    )]  # fmt: skip
    assert [len(tags) for tags in system.predict(odd)] == [0, 1, 1, 1, 3, 3, 300]


def test_answers_are_legal():
    numbers = {tag: number for number, tag in enumerate(TAGS)}
    given = ["I-PER", "I-PER", "B-LOC", "I-LOC", "I-ORG", "O", "I-MISC", "B-MISC", "I-MISC", "I-PER"]
    wanted = ["B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "O", "B-MISC", "B-MISC", "I-MISC", "B-PER"]
    assert legal([numbers[tag] for tag in given]) == [numbers[tag] for tag in wanted]
    assert legal([]) == []


def test_asked_before_it_has_learnt_or_taught_nothing_it_says_so():
    system = FeatureCrf(features="stanford")
    with pytest.raises(BadSettings, match="fit"):
        system.predict(SENTENCES)
    with pytest.raises(BadSettings, match="no tweets"):
        system.fit([])
    with pytest.raises(BadSettings, match="word2vec"):
        FeatureCrf(features="word2vec")


@pytest.mark.parametrize("damage", ["missing", "empty", "garbage", "cut", "longer"])
def test_weights_that_are_not_whole_are_refused(tmp_path, damage):
    system = FeatureCrf(features="stanford")
    system.fit(SENTENCES)
    path = tmp_path / "best.crf"
    system.save(path)
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "garbage": b"garbage", "cut": whole[:-100], "longer": whole + b"x"}[damage])
    with pytest.raises(CorruptState, match=r"best\.crf"):
        system.load(path)
    assert system.predict(SENTENCES) == GOLD


def test_phrases_of_the_lists_are_found_around_every_token(lists):
    assert lists.names == ("location", "sports.sports_team")
    found = lists.matches(["in", "NEW", "York", "city", "(London)", "st.", "James's", "Park"])
    city = {("location", 3), ("sports.sports_team", 3)}
    park = {("location", 3)}
    assert found == [set(), city, city, city, {("location", 1)}, park, park, park]
    assert lists.matches([]) == []
    assert lists.matches(["a", "b", "c", "d", "e", "f"]) == [set()] * 6


def test_a_cluster_is_a_path_whose_first_steps_are_the_lowest_bits(clusters):
    assert clusters.path("LONDON") == "011" + "0" * 17
    assert clusters.path(":") == "1" + "0" * 19
    assert clusters.path("unknown") == ""


@pytest.mark.parametrize("content", [None, "london\n", "london x\n", "london ²\n"])
def test_clusters_of_another_form_are_refused(tmp_path, content):
    path = tmp_path / "clusters"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UnreadableInput, match="clusters"):
        WordClusters.read(path)


def test_a_folder_without_lists_is_refused(tmp_path):
    with pytest.raises(UnreadableInput, match="TAGSTREAM_DATA"):
        NameLists.read(tmp_path)


def test_shapes():
    shapes = {"Anna": "Xxxx", "iPhone5s": "xXxdx", "2024": "dddd", "#GoT": "#XxX", "Washington": "Xxxxx", "": ""}
    assert {word: word_shape(word) for word in shapes} == shapes


def test_stanford_sees_neighbours_shapes_and_four_tokens_each_way():
    features = stanford_features(["a", "b", "c", "d", "E", "f"])
    assert {"word=E", "before=d", "after=f", "shapes=x X x", "begins=E", "ends=E", "right=f"} <= set(features[4])
    assert {one for one in features[4] if one.startswith("left=")} == {"left=a", "left=b", "left=c", "left=d"}
    assert {"before=", "shape-before="} <= set(features[0])
    assert "begins=abcdef" in stanford_features(["abcdefgh"])[0]
    assert "begins=abcdefg" not in stanford_features(["abcdefgh"])[0]


def test_tner_sees_lists_and_clusters_of_a_token_and_its_neighbours(lists, clusters):
    london, on = tner_features(["London", "on"], lists, clusters)
    assert {"list=location", "cluster=01100", "cluster=011000000", "initial-capital", "initial-capital+cased"} <= set(
        london
    )
    assert {"before:list=location", "before:cluster=01100", "left=London", "after:edge", "lower=on"} <= set(on)
    shouted = tner_features(["LONDON"], lists, clusters)[0]
    assert "all-capitals" in shouted
    assert "all-capitals+cased" not in shouted
    assert "list-phrase=3" in tner_features(["New", "York", "City"], lists, clusters)[1]


@pytest.fixture
def row(monkeypatch):
    monkeypatch.setattr(feature_run, "load_sentences", lambda *_: SENTENCES)
    monkeypatch.setattr(run, "require_data", lambda _: None)
    recipe = SystemRecipe.read(CONFIGS / "feature_crf_stanford.toml")
    return Experiment(
        recipe=recipe.model_copy(update={"options": {"features": "stanford", "c2": 0.01}}), corpus="a", seed=1
    )


def test_a_run_is_a_row_like_any_other(row, tmp_path):
    cost = train(row, tmp_path)
    assert cost.parameters > 100
    assert cost.epochs == cost.best_epoch > 1
    read = read_row(tmp_path)
    prepared = restore(read, tmp_path)
    part = prepared.part("a", "dev")
    assert prepared.answers(part) == GOLD
    weights = (tmp_path / "best.crf").stat().st_mtime_ns
    assert train(row, tmp_path) == cost
    assert (tmp_path / "best.crf").stat().st_mtime_ns == weights
    assert json.loads((tmp_path / "done.json").read_bytes())["identity"]["recipe"]["system"] == "feature_crf"


def test_another_run_is_not_taken_for_this_one(row, tmp_path):
    train(row, tmp_path)
    with pytest.raises(BadSettings, match="another system"):
        train(row.model_copy(update={"seed": 2}), tmp_path)


def test_unknown_options_are_refused(row, tmp_path):
    other = row.recipe.model_copy(update={"options": {"features": "stanford", "colour": 1}})
    with pytest.raises(BadSettings, match="colour"):
        train(row.model_copy(update={"recipe": other}), tmp_path)


@pytest.mark.parametrize("name", ["stanford", "tner"])
def test_the_recipes_name_what_there_is(name, lists, clusters, monkeypatch):
    monkeypatch.setattr(feature_crf, "load_name_lists", lambda: lists)
    monkeypatch.setattr(feature_crf, "load_word_clusters", lambda: clusters)
    recipe = SystemRecipe.read(CONFIGS / f"feature_crf_{name}.toml")
    assert recipe.system == feature_run.SYSTEM
    feature_run.build_features(recipe.options).fit(SENTENCES)
