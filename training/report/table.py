"""`docs/reference/results.md`, written from the records and `speed.json` alone: no figure of it is typed by hand.

A row without records says that it was not run. `write_page(check=True)` fails where the page shows anything else than
what the records say, so a figure whose record is gone does not stay.
"""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from training.report.cases import cases_section
from training.report.plots import plots_of
from training.report.record import ResultRecord, read_records
from training.report.rows import Group, PublishedRow, read_groups, read_published, read_recipe
from training.report.significance import fixed_and_broken, p_value
from training.report.speed import Speed, read_speed

RESULTS_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "results.md"
BASELINE = "bert_crf"
TYPES = ("PER", "LOC", "ORG", "MISC")
PICTURED = read_groups()[0]
_NONE = "–"
_SMALLEST_P = 0.001

_HEAD = """# Every system, measured

Written by `make experiments` from the records in `training/results/`; `make lint` fails where this page says anything
else. F1 in percent on the test parts, the mean over seeds with the standard deviation behind ±. **Strict**: a name
opens only at `B-`. **Lenient**: a stray `I-` opens one too, as most papers count. The epoch was chosen on the
development part; the test part was read once a run.

Yu et al. used BERT-base-cased (110 M parameters), and all but TriMod the photos themselves. Neither is at hand: every
encoder of word pieces here but MSB's is all-MiniLM-L6-v2 (22 M, uncased, letter case added), and what a system sees of
a photo is the encoded tokens of its BLIP-2 caption, or five things that its CATR caption names; TriMod reads the
caption's words. **Figures of one line therefore show what the structure is worth over the same encoder, not whether a
paper is right.**

`p` is that of a paired randomisation test of the first seed against BERT-CRF, by tweet. *Fixed* and *broken* are names
of the test part that the system finds and BERT-CRF does not, and the other way round, in the first seed.

A CRF here cannot answer what BIO forbids, where that of the papers learns not to. *Parameters* are those that are
trained, the whole table of words included. Feature CRFs know no seed: they have one run.

`tokens/s` are those that a system tags on one core, its batches ready, measured by `python -m training.report.speed`
for all systems in one run, by turns: compare them with one another. They are of Twitter-2015's development part in
every table.
"""
_DISAGREEMENTS = """## Where a row disagrees with its paper

- **Recurrent systems are below theirs.** ACN's vectors of words are of 30 million tweets, CWI's of billions of words
  (GloVe, fastText). Here they are of the 155 thousand unlabelled tweets at hand, and of a name that is rare there they
  know little but its spelling. We think that this is most of it, and have not measured it: `word_vectors = FILE` in a
  recipe reads the papers' own.
- **CWI** moreover reads five classes of an image network; here they are things that a caption names. On Twitter-2015
  its best development score comes after two epochs and is never reached again, while the loss falls to the end. There
  it is better without what is new in it (TargetedDropout, GroupNorm, SineReLU), where the paper loses seven points.
- **TriMod** prints figures by type that are almost the same for each, where everything else, also in its own table, is
  worst at MISC by far, and an F1 that its precision and recall do not give. Here the words of hashtags help most, a
  caption less, and both together less than hashtags alone.
- **ACN's gates** are worth points in the paper. Here it is no worse without either of them, and only the CRF is missed
  by more than a point. An ablation has one seed.
- **Systems over pieces come near theirs** with an encoder a fifth as large, which was made for whole sentences.
- **Captions add nothing over pieces.** The papers gain up to 1.9 points over BERT-CRF from photos; here no row with
  captions is above it in its first seed. A caption says that a man holds a ball, and not who he is.
- **Yu et al.** print F1 on Twitter-2017 that their precision and recall do not give: 84.10 for AdaCAN-BERT-CRF (84.15
  by those), 84.42 for MT-BERT-CRF (84.38).
- **MSB** begins with Google's weights in the paper, and here with random ones and masked words of the tweets at hand.
"""
_CASES = """## Cases

Names of the test parts by who finds them, of the first run of each main system; then names that few find, read and
judged one by one (`training/report/cases.toml`). Tweets count from 1 in the file of the test part, names from 1 within
their tweet. Whoever has the data sees them with their text by
`python -m training.report.gallery --corpus twitter2015 --to gallery.html`.
"""
_COLUMNS = (
    "system", "reads", "published", "strict", "lenient", "precision", "recall", *TYPES, "untyped", "seeds",
    "parameters", "tokens/s", "p", "fixed", "broken",
)  # fmt: skip


def write_page(path: Path = RESULTS_PAGE, *, check: bool = False) -> int:
    """Writes the page and its pictures; with `check` only says, by 1, that one of them would change."""
    records, speed = read_records(), read_speed()
    text, pictures = page(records, speed), path.with_suffix("")
    plots = [plot for corpus in PICTURED.corpora for plot in plots_of(PICTURED, corpus, records, speed)]
    if not check:
        path.write_text(text, encoding="utf-8")
        for plot in plots:
            if not plot.is_current(pictures):
                plot.write(pictures)
        return 0
    old = [pictures / plot.name for plot in plots if not plot.is_current(pictures)]
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        old.append(path)
    for stale in old:
        print(f"{stale} does not show what the records say: run `python -m training.report`, or restore the record")
    return 1 if old else 0


def page(records: dict[str, ResultRecord], speed: Speed) -> str:
    """Returns the whole page."""
    published = read_published()
    parts = [_HEAD]
    for group in read_groups():
        parts.append(f"## {group.title}\n\n{group.about}\n")
        for corpus in group.corpora:
            parts.append(_table(group, corpus, records, published, speed))
            if group == PICTURED:
                plots = plots_of(group, corpus, records, speed)
                parts += [f"![{plot.caption}](results/{plot.name})\n" for plot in plots]
    parts += [_DISAGREEMENTS, _CASES]
    parts += [cases_section(corpus, PICTURED.first_runs(corpus, records)) for corpus in PICTURED.corpora]
    return "\n".join(parts)


def _table(
    group: Group, corpus: str, records: dict[str, ResultRecord], published: dict[str, PublishedRow], speed: Speed
) -> str:
    tested_on = group.tested_on or corpus
    baseline = records.get(group.runs(BASELINE, corpus)[0].name)
    title = tested_on if tested_on == corpus else f"trained on {corpus}, tested on {tested_on}"
    lines = [f"### {title}", "", f"| {' | '.join(_COLUMNS)} |", f"|{'---|' * len(_COLUMNS)}"]
    for recipe in group.recipes:
        runs = group.runs(recipe, corpus)
        found = [records[run.name] for run in runs if run.name in records]
        line = _line(recipe, corpus, tested_on, found, len(runs), baseline, published, speed.of(recipe))
        lines.append(f"| {' | '.join(line)} |")
    return "\n".join([*lines, ""])


def _line(
    name: str,
    corpus: str,
    tested_on: str,
    records: Sequence[ResultRecord],
    wanted: int,
    baseline: ResultRecord | None,
    published: dict[str, PublishedRow],
    speed: float | None,
) -> list[str]:
    recipe = read_recipe(name)
    paper = published.get(recipe.paper if corpus == tested_on else f"{recipe.paper}, trained on {corpus}")
    printed = paper.figure(tested_on, "f1") if paper else None
    # A paper may contradict itself; what is wrong stands beside its figure.
    note = f" ({paper.note})" if paper and paper.note and printed is not None else ""
    head = [recipe.title, recipe.reads, f"{printed:.2f}{note}" if printed is not None else _NONE]
    if not records:
        return [*head, "not run", *[_NONE] * (len(_COLUMNS) - len(head) - 1)]

    def mean(figure: Callable[[ResultRecord], float]) -> str:
        return f"{100 * statistics.mean(map(figure, records)):.2f}"

    def spread(counting: str) -> str:
        values = [100 * record.test[counting]["f1"] for record in records]
        return f"{statistics.mean(values):.2f}" + (f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else "")

    return [
        *head,
        f"**{spread('strict')}**",
        spread("lenient"),
        mean(lambda record: record.test["strict"]["precision"]),
        mean(lambda record: record.test["strict"]["recall"]),
        *(mean(lambda record, kind=kind: record.test["strict"]["types"][kind]["f1"]) for kind in TYPES),  # type: ignore[misc]
        mean(lambda record: record.test["untyped"]["f1"]),
        f"{len(records)} of {wanted}" if len(records) < wanted else str(wanted),
        f"{records[0].parameters / 1e6:.2f} M",
        _NONE if speed is None else f"{speed:,.0f}",
        *_against(records[0], baseline),
    ]


def _against(record: ResultRecord, baseline: ResultRecord | None) -> list[str]:
    if baseline is None or record.name == baseline.name or record.outcome.gold != baseline.outcome.gold:
        return [_NONE] * 3
    fixed, broken = fixed_and_broken(record.outcome, baseline.outcome)
    probability = p_value(record.outcome, baseline.outcome)
    return [f"{probability:.3f}" if probability >= _SMALLEST_P else f"< {_SMALLEST_P}", str(fixed), str(broken)]
