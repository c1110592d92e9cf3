"""Misspelled words: one mistake each, every kind of it, and nothing else touched."""

import random

from training.tagger.misspellings import misspelled


def test_one_mistake_in_a_word_and_every_kind_of_it():
    chance = random.Random(1)
    written = {misspelled("Paris", chance) for _ in range(3000)}
    assert {"Pris", "Paaris", "Prais", "PaRis", "Paaaaris", "Pariiis", "Paxis"} <= written
    assert "Paris" in written
    assert all(len(set(word.lower()) - set("paris")) <= 1 for word in written)


def test_a_quarter_of_the_words_is_misspelled():
    chance = random.Random(2)
    changed = sum(misspelled("wonderful", chance) != "wonderful" for _ in range(4000))
    assert 900 < changed < 1100


def test_short_words_numbers_and_signs_stay():
    chance = random.Random(3)
    for surface in ("the", "", "2,000", "@someone", "https://t.co/x", "&", "O'Neill", "#"):
        assert all(misspelled(surface, chance) == surface for _ in range(100))
