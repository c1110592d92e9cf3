"""The files that a newcomer expects are there and agree with the package."""

import re

import yaml

import tagstream
from tagstream.settings import REPOSITORY


def test_the_citation_is_whole_and_of_this_version():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["cff-version"] == "1.2.0"
    assert all("name" in author or "family-names" in author for author in citation["authors"])
    assert (citation["version"], citation["license"]) == (tagstream.__version__, "Apache-2.0")


def test_the_newest_section_of_the_changes_is_of_this_version():
    changes = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\S+)", changes, re.MULTILINE)
    assert newest is not None
    assert newest[1] == tagstream.__version__


def test_the_licence_is_whole():
    text = (REPOSITORY / "LICENSE").read_text(encoding="utf-8")
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_every_card_of_shipped_weights_says_what_they_may_be_used_for():
    cards = set((REPOSITORY / "triton_models").glob("*/*/model_card.md"))
    cards -= set((REPOSITORY / "triton_models" / "mner_base").rglob("*"))  # made here, and not shipped
    assert cards
    for card in cards:
        assert "\n## Terms\n" in card.read_text(encoding="utf-8"), card
        assert str(card.relative_to(REPOSITORY)) in (REPOSITORY / "NOTICE").read_text(encoding="utf-8")
