"""The scores of a system's tags: precision, recall and F1 by span, in both ways of counting.

Strict: a span opens only at B-, and an I- that continues nothing is O, in gold and in answers. Lenient: such an I-
opens one, which is how most published figures are counted.
"""

from collections.abc import Sequence
from typing import Any

from tagstream.posts import ENTITY_TYPES
from training.inputs.sentences import Sentence
from workers.tagger.conll import ConllPost, Span, gold_spans
from workers.tagger.crf_decoder import TAGS
from workers.tagger.evaluation import Tally

Spans = set[Span]


def spans_of(sentence: Sentence, tags: Sequence[int], *, lenient: bool) -> Spans:
    """Returns the spans that the answered tags of a tweet spell."""
    answered = tuple((start, end, TAGS[tag]) for (start, end, _), tag in zip(sentence.gold.tokens, tags, strict=True))
    return gold_spans(ConllPost(sentence.gold.text, answered), lenient=lenient)


def score(sentences: Sequence[Sentence], answers: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Figures of a part, as fractions of 1: `strict` and `lenient`, each with its `types`, and `untyped` (strict)."""
    return {
        "strict": _figures(sentences, answers, lenient=False),
        "lenient": _figures(sentences, answers, lenient=True),
        "untyped": _untyped(sentences, answers),
    }


def _figures(sentences: Sequence[Sentence], answers: Sequence[Sequence[int]], *, lenient: bool) -> dict[str, Any]:
    tallies = {kind: Tally() for kind in ENTITY_TYPES}
    total = Tally()
    for sentence, tags in zip(sentences, answers, strict=True):
        gold, given = gold_spans(sentence.gold, lenient=lenient), spans_of(sentence, tags, lenient=lenient)
        _add(total, gold, given)
        for kind, tally in tallies.items():
            _add(tally, *({span for span in spans if span[2] == kind} for spans in (gold, given)))
    return {**total.figures(), "types": {kind: tally.figures() for kind, tally in tallies.items()}}


def _untyped(sentences: Sequence[Sentence], answers: Sequence[Sequence[int]]) -> dict[str, float]:
    """Whether names are found at all, whatever they are taken for."""
    total = Tally()
    for sentence, tags in zip(sentences, answers, strict=True):
        gold, given = gold_spans(sentence.gold, lenient=False), spans_of(sentence, tags, lenient=False)
        _add(total, {span[:2] for span in gold}, {span[:2] for span in given})
    return total.figures()


def _add(tally: Tally, gold: set[Any], given: set[Any]) -> None:
    tally.right += len(gold & given)
    tally.given += len(given)
    tally.gold += len(gold)
