"""The hard names of a test part with their tweets, as a page to open in a browser.

The page holds tweets, so it is written where its reader says and is no part of the project.

    $ python -m training.report.gallery --corpus twitter2015 --to gallery.html
"""

import argparse
import html
import sys
from collections.abc import Sequence
from pathlib import Path

from tagstream.errors import BadSettings, TagstreamError
from training.inputs.sentences import Sentence, load_sentences
from training.report.cases import VERDICTS, Case, found_in, read_cases
from training.report.record import ResultRecord, read_records
from training.report.rows import read_groups, read_recipe
from workers.tagger.conll import Span, gold_spans

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
article { border-top: 1px solid #ccc; padding: .6rem 0; }
mark { background: #cfe3ff; padding: 0 .15em; } mark.case { background: #ffd79a; } small { color: #555; }
.yes { color: #0a6b2d; } .no { color: #a01c1c; }
"""


def gallery(sentences: Sequence[Sentence], records: Sequence[ResultRecord], cases: Sequence[Case], hardest: int) -> str:
    """Returns a whole page: the judged names first, then the hardest others."""
    judged = {(case.tweet, case.name): case for case in cases}
    places = [(tweet, name) for tweet, one in enumerate(sentences, 1) for name in range(1, len(_names(one)) + 1)]
    places.sort(key=lambda place: sum(found_in(record, *place) for record in records))
    chosen = [*judged, *[place for place in places if place not in judged][:hardest]]
    articles = [
        _article(sentences[tweet - 1], tweet, name, records, judged.get((tweet, name))) for tweet, name in chosen
    ]
    return (
        f'<!doctype html><meta charset="utf-8"><title>Hard names</title><style>{_STYLE}</style>'
        f"<h1>Hard names</h1>{''.join(articles)}"
    )


def _names(sentence: Sentence) -> list[Span]:
    return sorted(gold_spans(sentence.gold, lenient=False))


def _article(sentence: Sentence, tweet: int, name: int, records: Sequence[ResultRecord], case: Case | None) -> str:
    parts, place = [], 0
    for number, (start, end, kind) in enumerate(_names(sentence), 1):
        shown = ' class="case"' if number == name else ""
        parts += [_words(sentence, place, start)]
        parts += [f"<mark{shown}>{_words(sentence, start, end)} <small>{kind}</small></mark>"]
        place = end
    parts += [_words(sentence, place, len(sentence.tokens))]
    systems = [
        f'<span class="{"yes" if found_in(record, tweet, name) else "no"}">{read_recipe(record.recipe).title}</span>'
        for record in records
        if name
    ]
    judged = f"<p><b>{VERDICTS[case.verdict]}</b>: {html.escape(case.why)}</p>" if case else ""
    photo = html.escape(sentence.image or "none")
    return (
        f"<article><small>tweet {tweet}, name {name or '–'}, photo {photo}</small><p>{' '.join(parts)}</p>"
        f"{judged}<small>{' · '.join(systems)}</small></article>"
    )


def _words(sentence: Sentence, start: int, end: int) -> str:
    return html.escape(" ".join(sentence.tokens[start:end]))


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m training.report.gallery", description="Show hard names in a page.")
    parser.add_argument("--corpus", required=True, choices=["twitter2015", "twitter2017"])
    parser.add_argument("--hardest", type=int, default=100, help="how many beside those that were judged")
    parser.add_argument("--to", type=Path, required=True)
    given = parser.parse_args(arguments)
    try:
        records = read_groups()[0].first_runs(given.corpus, read_records())
        if not records:
            raise BadSettings(f"{given.corpus}: no main system has its record yet (make experiments)")
        cases = [case for case in read_cases() if case.corpus == given.corpus]
        page = gallery(load_sentences(given.corpus, "test"), records, cases, given.hardest)
        given.to.write_text(page, encoding="utf-8")
    except (TagstreamError, OSError) as error:
        sys.exit(f"error: {error}")
    print(given.to)


if __name__ == "__main__":
    main()
