"""Every relative link of the pages leads to a file and a heading, and docs/README.md leads to every page."""

import re
from pathlib import Path

import pytest

from tagstream.settings import REPOSITORY

PAGES = [
    *sorted(REPOSITORY.glob("*.md")),
    *sorted(REPOSITORY.glob("docs/**/*.md")),
    *sorted(REPOSITORY.glob("triton_models/*/*/*.md")),
]


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def links(page: Path) -> list[str]:
    """The addresses that a page links to, but for those on other hosts."""
    return re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", prose(page))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, made as GitHub makes them: the second heading of a name ends in `-1`."""
    seen: dict[str, int] = {}
    found = set()
    for heading in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE):
        anchor = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        found.add(f"{anchor}-{seen[anchor]}" if anchor in seen else anchor)
        seen[anchor] = seen.get(anchor, 0) + 1
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_to_a_file_and_a_heading(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} links to {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name} links to {link}"


def test_the_way_in_leads_to_every_page() -> None:
    way_in = REPOSITORY / "docs/README.md"
    linked = {(way_in.parent / link.partition("#")[0]).resolve() for link in links(way_in)}
    pages = set(REPOSITORY.glob("docs/**/*.md")) - {way_in}
    assert not {str(page.relative_to(REPOSITORY)) for page in pages - linked}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_table_has_a_head(page: Path) -> None:
    for table in re.findall(r"(?:^\|.*\n)+", prose(page), re.MULTILINE):
        assert re.match(r"\|.*\n\|[ :|-]+\|\n", table), f"{page.name}: rows of no table: {table[:80]}"


@pytest.mark.parametrize("page", [page for page in PAGES if page.is_relative_to(REPOSITORY / "docs")], ids=str)
def test_a_page_has_one_title(page: Path) -> None:
    assert len(re.findall(r"^# ", prose(page), re.MULTILINE)) == 1


WITH_READERS = sorted(
    page
    for folder in ("how-to", "reference", "explanation")
    for page in (REPOSITORY / "docs" / folder).glob("*.md")
    if page.name != "results.md"  # written by the training alone
)


@pytest.mark.parametrize("page", WITH_READERS, ids=lambda page: page.stem)
def test_a_page_begins_by_saying_whom_it_is_for(page: Path) -> None:
    assert page.read_text(encoding="utf-8").split("\n\n")[1].startswith("This page is for ")


def test_an_anchor_that_is_not_there_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# The `search` command\n\n## Twice\n\n## Twice\n\n```\n# no heading\n```\n", encoding="utf-8")
    assert anchors(page) == {"the-search-command", "twice", "twice-1"}
