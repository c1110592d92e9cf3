"""The hashtag network is trained: what it is shown, that it learns, and that numpy's form of it says the same."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.optim import AdamW

import training.hashtags.phrases as gathering
import training.hashtags.train as recipe
from training.hashtags.combination import Question, closest, fit, likelihood, question, share_right
from training.hashtags.network import HashtagNetwork, break_loss, encode, parameters_of, skip_gram_vectors
from training.hashtags.phrases import LONGEST_PHRASE, Phrases
from training.hashtags.train import adapt, by_length, learn, learn_phrases, rate_at, usable
from workers.hashtags.language_model import LanguageModel, read
from workers.hashtags.network import ALPHABET, BreakNetwork
from workers.hashtags.segmenter import COUNTS_FILE

PHRASES = Phrases(
    runs=[["good", "morning", "new", "york"], ["red", "sox", "nation"], ["hello"]],
    words=["city", "monday"],
    word_shares=np.array([0.5, 0.5]),
    names=[["hudson", "river"], ["boston"]],
    tags=[["Music", "Monday"], ["BLM", "2020"]],
)


@pytest.fixture
def network() -> HashtagNetwork:
    """Untrained, with weights large enough to tell two hashtags apart."""
    torch.manual_seed(0)
    network = HashtagNetwork()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(2)
    return network.eval()


@pytest.mark.parametrize("run", ["a", "ab", "newyorkcity", "BLM2020", "Ébc_d", "x" * 64])
def test_numpy_says_what_torch_says(network: HashtagNetwork, run: str) -> None:
    served = BreakNetwork(parameters_of(network)).logits(run)
    with torch.no_grad():
        alone = network(encode([run])[0])[0].numpy()
        padded = network(encode([run, "b" * 70])[0])[0, : len(run)].numpy()
    np.testing.assert_allclose(served, alone, atol=2e-5)
    np.testing.assert_allclose(padded, alone, atol=2e-5)


def test_every_parameter_learns(network: HashtagNetwork) -> None:
    characters, breaks = encode(["new york city", "hello"])
    break_loss(network(characters), breaks, characters).backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in network.parameters())
    assert network.table.weight.grad is not None
    assert not network.table.weight.grad[0].any()


def test_the_breaks_are_after_the_last_characters_of_words() -> None:
    characters, breaks = encode(["New York", "a"])
    assert characters.tolist()[0] == [ALPHABET.index(character) for character in "NewYork"]
    assert characters.tolist()[1] == [1, 0, 0, 0, 0, 0, 0]
    assert breaks.tolist() == [[0, 0, 1, 0, 0, 0, 1], [1, 0, 0, 0, 0, 0, 0]]


def test_the_loss_leaves_out_padding_and_the_last_character() -> None:
    characters, breaks = encode(["a b", "a", "a b c d"])
    right = torch.where(breaks > 0, 20.0, -20.0)
    assert break_loss(right, breaks, characters) < 1e-6
    wrong = right.clone()
    wrong[0, 1:], wrong[1, :], wrong[2, 3] = 20.0, 20.0, -20.0
    assert break_loss(wrong, breaks, characters) < 1e-6
    wrong[0, 0] = -20.0
    assert break_loss(wrong, breaks, characters) == pytest.approx(20.0 / 4)  # one wrong of the four inner places


def test_a_few_hashtags_are_learnt_by_heart() -> None:
    torch.manual_seed(1)
    examples = ["new york city", "newark", "red sox nation", "York Minster", "BLM 2020", "a b c d", "Redskins"]
    network = HashtagNetwork()
    optimizer = AdamW(network.parameters())
    losses = [learn(network, optimizer, examples, 1e-2) for _ in range(40)]
    assert losses[0] > 0.4
    assert losses[-1] < 0.05
    served = BreakNetwork(parameters_of(network.eval()))
    for example in examples:
        logits = served.logits(example.replace(" ", ""))[:-1]
        assert ((logits > 0) == encode([example])[1].numpy()[0, :-1]).all(), example


def test_skip_gram_vectors_put_characters_of_one_company_together() -> None:
    vectors = skip_gram_vectors(["abxab", "cdxcd", "abyab", "cdycd"] * 5, steps=200)
    near = torch.nn.functional.cosine_similarity
    x, y, a = (vectors[ALPHABET.index(character)] for character in "xya")
    assert near(x, y, dim=0) > near(x, a, dim=0) + 0.3
    assert not vectors[0].any()
    assert torch.equal(vectors, skip_gram_vectors(["abxab", "cdxcd", "abyab", "cdycd"] * 5, steps=200))


def test_examples_are_drawn_by_seed_from_all_sources() -> None:
    drawn = PHRASES.draw(400, seed=3)
    assert drawn == PHRASES.draw(400, seed=3)
    assert drawn != PHRASES.draw(400, seed=4)
    lower = {example.lower() for example in drawn}
    assert {"new york", "monday", "hudson river", "music monday", "blm 2020"} <= lower
    assert {"Music Monday", "music monday", "MUSIC MONDAY", "Music monday"} <= set(drawn)
    assert all(" ".join(example.split()) == example and 0 < len(example) <= LONGEST_PHRASE for example in drawn)


def test_accepted_answers_keep_the_letters_of_the_hashtag() -> None:
    rows = [
        ("TomFelton", ["tom felton", "Tom Felton", "tomfelton"]),
        ("itsok", ["it's ok"]),
        ("a_b", ["a _ b"]),
        ("x" * (LONGEST_PHRASE + 1), ["x" * (LONGEST_PHRASE + 1)]),
    ]
    assert usable(rows) == [["Tom Felton", "TomFelton"]]


def test_batches_hold_every_example_once_and_those_of_one_length_together() -> None:
    examples = ["x" * (number % 30 + 1) for number in range(1000)]
    batches = list(by_length(examples, 64, np.random.default_rng(0)))
    assert sorted(example for batch in batches for example in batch) == sorted(examples)
    assert max(len(max(batch, key=len)) - len(min(batch, key=len)) for batch in batches) <= 3
    assert [len(batch[0]) for batch in batches] != sorted(len(batch[0]) for batch in batches)


def test_the_rate_rises_and_falls() -> None:
    rates = [rate_at(step, 1000) for step in range(1000)]
    assert np.argmax(rates) == recipe.WARM_UP_STEPS - 1
    assert rates[-1] < 2 * recipe.LEAST_RATE
    assert 0 < rates[0] < rates[1]
    assert rates[500] > rates[501]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "CHUNK_PHRASES", 64)
    monkeypatch.setattr(recipe, "BATCH", 32)


@pytest.mark.usefixtures("small")
def test_a_run_that_was_stopped_ends_as_an_unbroken_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stopped").mkdir()
    monkeypatch.setattr(recipe, "CHUNKS", 4)
    lines: list[str] = []
    unbroken = learn_phrases(PHRASES, tmp_path, lines.append)

    class Stopped(Exception): ...

    def stop(line: str) -> None:
        if line.startswith("chunk 2 "):
            raise Stopped

    with pytest.raises(Stopped):
        learn_phrases(PHRASES, tmp_path / "stopped", stop)
    again: list[str] = []
    resumed = learn_phrases(PHRASES, tmp_path / "stopped", again.append)
    assert again == lines[2:]
    assert all(
        torch.equal(one, other)
        for one, other in zip(unbroken.state_dict().values(), resumed.state_dict().values(), strict=True)
    )


@pytest.mark.usefixtures("small")
def test_adapting_leaves_the_network_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "ADAPT_BATCH", 4)
    torch.manual_seed(0)
    network = HashtagNetwork()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    rows = [("newyork", ["new york"]), ("redsox", ["red sox"]), ("boston", ["boston"]), ("acdc", ["ac dc"])] * 2
    adapted = adapt(network, rows, PHRASES)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not torch.equal(adapted.decoder.weight, network.decoder.weight)
    assert not adapted.training
    assert torch.equal(adapted.decoder.weight, adapt(network, rows, PHRASES).decoder.weight)


def _question(scores: list[float], log_odds: list[float], accepted: list[bool]) -> Question:
    return Question(np.array(scores), np.array(log_odds), np.array(accepted), alone=False)


def test_an_answer_is_weighed_only_where_it_is_close() -> None:
    asked = [
        _question([1.0, 0.5], [0.0, 1.0], [False, True]),  # right above 0.5
        _question([1.0, 0.2], [0.0, 1.0], [True, False]),  # right up to 0.8
        _question([1.0], [0.0], [True]),
        _question([9.0, 1.0], [0.0, 99.0], [True, False]),
    ]
    assert share_right(asked, 0.6, close=5.0) == 1.0
    assert share_right(asked, 0.0, close=5.0) == 3 / 4
    assert share_right(asked, 0.9, close=5.0) == 3 / 4
    assert share_right(asked, 0.6, close=np.inf) == 3 / 4
    assert share_right(asked, 0.6, close=0.0) == 3 / 4


def test_the_likelihood_is_that_of_the_accepted_candidates() -> None:
    told = _question([1.0, 0.0], [0.0, 1.0], [False, True])
    nothing_to_tell = [_question([1.0], [0.0], [True]), _question([2.0, 1.0], [0.0, 0.0], [False, False])]
    assert likelihood([told, *nothing_to_tell], weight=1.0, sharpness=0.7) == pytest.approx(np.log(0.5))
    assert likelihood([told], weight=0.0, sharpness=2.0) == pytest.approx(-np.log1p(np.exp(2.0)))


def test_the_weight_follows_who_is_right() -> None:
    random = np.random.default_rng(0)

    def of(true_weight: float) -> list[Question]:
        asked = []
        for _ in range(600):
            scores, log_odds = -np.sort(-random.normal(size=2)), random.normal(size=2)
            better = scores + true_weight * log_odds + random.gumbel(size=2)
            accepted = np.arange(2) == np.argmax(better)
            asked.append(_question(scores.tolist(), log_odds.tolist(), accepted.tolist()))
        return asked

    assert fit(of(0.0)) < 0.25
    assert 0.7 < fit(of(1.0)) < 1.3


def test_one_in_eight_hashtags_is_asked_about() -> None:
    asked = [_question([10.0, 10.0 - lead], [0.0, 0.0], [True, False]) for lead in range(16)]
    close = closest(asked)
    assert sum(one.scores[0] - one.scores[1] < close for one in asked) in (1, 2)


@pytest.fixture(scope="module")
def language_model() -> LanguageModel:
    return read(COUNTS_FILE)


def test_a_question_says_which_candidates_are_accepted(network: HashtagNetwork, language_model: LanguageModel) -> None:
    served = BreakNetwork(parameters_of(network))
    one = question(("NewYorkcity", ["new york city", "New York City"]), language_model, served)
    assert one is not None
    assert one.accepted.sum() == 1
    assert (np.diff(one.scores) <= 0).all()
    best = int(np.argmax(one.accepted))
    logits = served.logits("NewYorkcity")
    assert one.log_odds[best] == pytest.approx(float(logits[2] + logits[6]))
    assert question(("itsok", ["it's ok"]), language_model, served) is None


def test_phrases_are_gathered_from_text_names_and_marked_hashtags(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [
        "@someone good morning, New York! #RedSox #redsox https://t.co/x",
        "good morning, new york! #RedSox",
        "good",
    ]
    monkeypatch.setattr(gathering, "tweets", lambda _: iter(texts))
    monkeypatch.setattr(gathering, "name_lines", lambda _: iter(["Hudson River", "hudson river", "a " * 20, "!"]))
    monkeypatch.setattr(gathering, "cluster_words", lambda _: iter(["lol", ":)"]))
    phrases = gathering.gather(Path(), [("BLM2020", ["BLM 2020"]), ("a_b", ["a_b"])])
    assert phrases.runs == [["good", "morning"], ["new", "york"], ["good", "morning"], ["new", "york"], ["good"]]
    assert phrases.names == [["hudson", "river"]]
    assert phrases.tags == [["BLM", "2020"], ["Red", "Sox"]]
    assert phrases.words == ["good", "lol", "morning", "new", "york"]
    assert phrases.word_shares.argmax() == phrases.words.index("good")
    assert phrases.word_shares.sum() == pytest.approx(1.0)
