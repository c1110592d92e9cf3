"""The words inside hashtags, each a word of the post with its own offsets.

::

    "see #NewYorkCity"  ─▶  see · # · New · York · City

So a name that is a part of a hashtag, as in `#PrayForParis`, is found as one in a sentence is. A sign that stands apart
(`# NewYorkCity`, as some corpora write it) is read likewise. Training and serving both read hashtags here.
"""

from collections.abc import Callable, Sequence

from workers.tagger.words import Kind, Word, by_lines, split_words

SIGN = "#"
Segment = Callable[[str], Sequence[str]]


def read_words(text: str, segment: Segment) -> tuple[list[Word], list[int]]:
    """Returns the words of a post as the tagger reads them, and the indices of those that begin a further line."""
    return by_lines(text, split_hashtags(split_words(text), segment))


def split_hashtags(words: Sequence[Word], segment: Segment) -> list[Word]:
    """Returns the words of a post with each hashtag replaced by its sign and the words in it.

    `segment` splits a hashtag, given without its sign. Underscores, and marks that the segmenter leaves out, lie
    between the words and belong to none. Offsets stay those of the post.
    """
    found: list[Word] = []
    for index, word in enumerate(words):
        if word.kind is Kind.HASHTAG:
            found.append(Word(SIGN, word.start, word.start + 1, Kind.SYMBOL))
            found += _words_inside(word.surface[1:], word.start + 1, word.end, segment, Kind.HASHTAG)
        elif word.kind is Kind.WORD and index and _stands_apart(words[index - 1], word):
            found += _words_inside(word.surface, word.start, word.end, segment, Kind.APART)
        else:
            found.append(word)
    return found


def _stands_apart(sign: Word, word: Word) -> bool:
    return sign.surface == SIGN and sign.kind is Kind.SYMBOL and word.start == sign.end + 1


def _words_inside(hashtag: str, start: int, end: int, segment: Segment, kind: Kind) -> list[Word]:
    """Returns the words of a hashtag that stands from `start` to `end`, or the whole where they cannot be found in it.

    `hashtag` is as it is read: where that has another length than what is written, no offset inside is known.
    """
    whole = [Word(hashtag, start, end, kind)]
    if len(hashtag) != end - start:
        return whole
    found: list[Word] = []
    offset = 0
    for part in segment(hashtag):
        if not part.strip("_"):
            continue
        offset = hashtag.find(part, offset)
        if offset < 0:
            return whole
        found.append(Word(part, start + offset, start + offset + len(part), kind))
        offset += len(part)
    return found or whole
