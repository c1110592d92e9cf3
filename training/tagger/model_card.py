"""The card of an exported version: what it was made from, how good it is, what it cannot do.

`python -m training.tagger.model_card` measures the files of the version again and writes it; so does an
export. `--name mner_base` does so for the tagger for GPUs. The figures of the other measures (`measuring.py`) are
written from what the version's folder keeps.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

from tagstream.settings import Settings
from training.datasets import CORPORA
from training.script import run_script
from training.tagger.card_sections import SECTIONS
from training.tagger.development import score_corpus
from training.tagger.measuring import keep_figures, parse_version, read_figures, served_tagger, version_arguments
from workers.models.repository import TAGGER, open_version
from workers.models.version_folder import GPU_MODEL, MODEL
from workers.tagger.openvino_network import OpenVinoNetwork

_LIMITS = """## Limits

- English posts. Others are not sent to it (`languages`), because its guesses there would look like findings.
- @mentions and web addresses are never entities; their names are not even read.
- The vocabulary is uncased and without accents; letter case, word shape and affixes come from the feature table.
{seen}
- Alt text is read and was trained with generated captions; figures are without it where they do not say otherwise.
- Names that stand side by side without a word between them may be joined.
- Names in hashtags of several words are given, and count as false where annotators leave them unmarked (Twitter-2015).
- Most tweets are by people in the United States and the United Kingdom, and so are their names. Whose names are missed
  more often than others' was not measured.
- PER and LOC are the steady types; ORG and MISC fall far lower on some sets (see the table).
- The tweets are of 2010 to 2017 and the sets' annotators missed names: some "false" entities are real ones, and on
  Twitter-2015, where hardly a post is without a name, that figure says nothing.
"""
_SEEN = """\
- **WNUT-16's development posts are among the training posts of WNUT-17**: its figures here are of posts that were
  seen, and flatter whatever they had a part in (the epoch, calibration, names in hashtags). A dozen posts of other sets
  are so, too."""
_UNSEEN = """\
- No post that is scored here, in any set, was learnt from: training leaves out their texts
  (`training/scored_texts.py`). Names may have come in other posts."""
_TAUGHT = """, and unlabelled tweets of TweetEval (mixed terms),
CrisisLexT6 (MIT) and CrisisMMD (research)"""
_TERMS = """## Terms

The code is under the Apache License 2.0. These weights are learnt from data with terms of its own: Twitter-2015 and
-2017 (terms of Twitter and of the sets' providers), Broad Twitter Corpus and WNUT-17 (CC BY 4.0), WNUT-16 (GPL-3),
Tweebank (Apache-2.0), captions by BLIP-2 (none stated){taught}; they begin as {encoder} (Apache-2.0).
The files hold no text and no annotation of these sets. Research, evaluation and trying tagstream out are what they are
shipped for. Whether the data's terms reach any other use is for its user to decide; training on data of your own
(`docs/how-to/bring-your-own-model.md`) settles the question.
"""


def measure(repository: Path, version: int, name: str = TAGGER) -> dict[str, dict[str, Any]]:
    """Keeps and returns figures of both files of a version, by precision and development set: text and hashtags only.

    Both run on this processor: the weights of the fp16 file are what a GPU gets, its arithmetic here is float32.
    """
    tagger = served_tagger(repository, version, name=name)
    figures = {"int8": {corpus: score_corpus(corpus, tagger) for corpus in CORPORA}}
    tagger.network = OpenVinoNetwork(open_version(repository, name, version).folder / GPU_MODEL, Settings().threads)
    figures = {"fp16": {corpus: score_corpus(corpus, tagger) for corpus in CORPORA}} | figures
    keep_figures(repository, version, "development", figures, name)
    return figures


def write_card(repository: Path, version: int, name: str = TAGGER) -> None:
    """Writes `model_card.md` from the figures that the version's folder keeps."""
    kept = read_figures(repository, version, name)
    sections = "\n".join(section(kept[measured]) for measured, section in SECTIONS.items() if measured in kept)
    folder = repository / name / str(version)
    description = open_version(repository, name, version).description
    recipe = description.record["recipe"]
    sizes = {file: (folder / file).stat().st_size / 1e6 for file in (MODEL, GPU_MODEL)}
    encoder = recipe["encoder"]
    millions = int(sizes[GPU_MODEL] / 2)  # two bytes a parameter
    layers = f"{recipe['layers']} layers, " if "layers" in recipe else ""
    size = f"{encoder}, {layers}{millions} M parameters"
    posts = ", ".join(f"{corpus} {number:,}" for corpus, number in recipe["posts"].items())
    settings = ", ".join(f"{key} {value}" for key, value in recipe.items() if key not in ("posts", "system"))
    data = fill(f"Posts an epoch: {posts}. Labels that a set does not have are unknown there, not absent.", 120)
    how = fill(f"System `{recipe['system']}`: {settings}.", 120)
    teachers = description.record.get("teachers", [])
    learnt = fill(_teaching(teachers, recipe), 120)
    looked = "" if "test" in kept else "; the test sets have not been looked at"
    text = f"""# {name}, version {folder.name}

Names in posts: PER, LOC, ORG, MISC. A transformer ({size}) with case and
character features over three segments (the post, whose hashtags are read as words; hashtags outside its text; words
about its photos) and a linear-chain CRF; `training/tagger/network.py`.

`{MODEL}`: static int8, {sizes[MODEL]:.1f} MB, for CPUs. `{GPU_MODEL}`: {sizes[GPU_MODEL]:.1f} MB, for GPUs
(exported from the same weights; its figures are by float32 arithmetic on a CPU, its answers on a GPU are not measured).

## Data and recipe

{data}
{how}
{learnt}
Made by `python -m training.tagger.train RECIPE --run RUN`, RECIPE with the values above, and
`python -m training.tagger.export --run RUN --name {name} --version {folder.name}`. One seed. The epoch was chosen on
these development sets, so the figures flatter a little{looked}.

## Figures on the development sets

Input: raw text and hashtags only (no caption, no alt text, no pixels). F1 in percent: strict (a span opens only at
`B-`) and lenient (a stray `I-` opens one). BTC has no MISC: there MISC counts neither way. The column before the last
is strict F1 of the first three types together; the last counts entities given in posts where the annotators saw no name
at all, for every 1,000 of them.

| set | precision | strict | lenient | PER | LOC | ORG | MISC | PER, LOC, ORG | false entities |
|---|---|---|---|---|---|---|---|---|---|
{_rows(kept["development"])}

{sections}
{_LIMITS.format(seen=_SEEN if description.record.get("reads_scored_posts", True) else _UNSEEN)}
{_TERMS.format(encoder=encoder, taught=_TAUGHT if teachers else "")}"""
    (folder / "model_card.md").write_text(text, encoding="utf-8")


def _teaching(teachers: Sequence[str], recipe: Mapping[str, Any]) -> str:
    """Returns what was learnt from other taggers."""
    if not teachers:
        return "It has learnt from annotated posts alone."
    return (
        f"Of each epoch {recipe['pseudo_posts']:,} posts are unlabelled tweets (`training/tagger/unlabelled.py`) with "
        f"the mean of the CRF marginals of {len(teachers)} larger taggers ({'; '.join(teachers)}), whose distribution "
        "over tags it learns (`training/tagger/pseudo_labels.py`)."
    )


def _rows(figures: Mapping[str, Mapping[str, Any]]) -> str:
    rows = []
    for name in CORPORA:
        for precision, corpora in figures.items():
            figure = corpora[name]
            types = figure["strict"]["types"]
            cells = [figure["strict"]["f1"], figure["lenient"]["f1"]]
            cells += [types[kind]["f1"] if kind in types else None for kind in ("PER", "LOC", "ORG", "MISC")]
            cells.append(figure["per_loc_org"])
            shown = " | ".join("–" if cell is None else f"{100 * cell:.1f}" for cell in cells)
            rows.append(f"| {name} | {precision} | {shown} | {figure['entity_free']['false_entities_per_1000']:.0f} |")
    return "\n".join(rows)


def main() -> None:
    """Runs the command line of this module."""
    arguments = parse_version(version_arguments("Measure the files of a model version and write its card."))
    measure(arguments.repository, arguments.version, arguments.name)
    write_card(arguments.repository, arguments.version, arguments.name)


if __name__ == "__main__":
    run_script(main)
