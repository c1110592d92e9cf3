"""BIO files of two columns: posts as raw text, tokens with offsets, and their names by two ways of counting."""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tagstream.errors import UnreadableInput
from tagstream.posts import MAX_TEXT_LENGTH, EntityType, clean_text

# The labels of the public tweet sets in every spelling, and the type that each means here.
SPELLINGS: dict[str, EntityType] = {
    "per": "PER",
    "person": "PER",
    "loc": "LOC",
    "location": "LOC",
    "geo-loc": "LOC",
    "facility": "LOC",
    "gpe": "LOC",
    "org": "ORG",
    "organisation": "ORG",
    "organization": "ORG",
    "company": "ORG",
    "corporation": "ORG",
    "group": "ORG",
    "sportsteam": "ORG",
    "misc": "MISC",
    "miscellaneous": "MISC",
    "other": "MISC",
    "product": "MISC",
    "creative-work": "MISC",
    "movie": "MISC",
    "tvshow": "MISC",
    "musicartist": "MISC",
}

_LARGEST_FILE = 256 * 1024 * 1024
_KEY = re.compile(r"# [\w.:-]+ = ")

Span = tuple[int, int, EntityType]


@dataclass(frozen=True, slots=True)
class ConllPost:
    """One post of a BIO file: the text is its tokens joined by single spaces; a token is (start, end, tag).

    `image` is the value of its `IMGID:` line.
    """

    text: str
    tokens: tuple[tuple[int, int, str], ...]
    image: str | None = None


def read_conll(path: Path) -> list[ConllPost]:
    """Reads the posts of a BIO file: a line holds a token and its tag, an empty line ends a post.

    The first column is the token and the last the tag; a tab or spaces stand between. `IMGID:` and `-DOCSTART-` lines
    are understood, and so are comments: `# key = value`, and a line that begins with `# ` and ends in no tag. The
    path `-` is standard input.

    Raises:
        UnreadableInput: the file cannot be read, is not UTF-8, a line has no tag or an unknown one, or a post is too
            long.
    """
    is_standard_input = str(path) == "-"
    name = "standard input" if is_standard_input else str(path)
    try:
        with ExitStack() as until:
            file = sys.stdin.buffer if is_standard_input else until.enter_context(path.open("rb"))
            content = file.read(_LARGEST_FILE + 1)
        lines = content.decode("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UnreadableInput(f"{name}: cannot be read as a BIO file: {reason}") from error
    if len(content) > _LARGEST_FILE:
        raise UnreadableInput(f"{name}: has more than {_LARGEST_FILE:,} bytes: split it")
    if posts := list(_posts(name, lines)):
        return posts
    raise UnreadableInput(f"{name}: holds no post to score")


def _posts(path: str, lines: list[str]) -> Iterator[ConllPost]:
    image: str | None = None
    tokens: list[tuple[str, str]] = []
    length = 0
    for number, raw in enumerate(lines, 1):
        line = raw.rstrip("\r\t ")
        if line.startswith("IMGID:"):
            image = line.removeprefix("IMGID:").strip()
        elif not line.strip():
            if tokens:
                yield joined_post(tokens, image)
                tokens, image, length = [], None, 0
        elif not line.startswith("-DOCSTART-") and not _is_comment(line):
            tokens.append(_token(path, number, line))
            length += len(tokens[-1][0]) + 1
            if length > MAX_TEXT_LENGTH:
                raise UnreadableInput(
                    f"{path}:{number}: this post has over {MAX_TEXT_LENGTH:,} characters: an empty line ends a post"
                )
    if tokens:
        yield joined_post(tokens, image)


def _is_comment(line: str) -> bool:
    """Tells whether the line is a comment of CoNLL-U. A token may begin with `#`, too, but ends in a tag."""
    return line.startswith("# ") and bool(_KEY.match(line) or not _is_tag(line.split()[-1]))


def _token(path: str, number: int, line: str) -> tuple[str, str]:
    columns = line.split("\t") if "\t" in line else line.split()
    token, tag = columns[0].strip(), columns[-1].strip()
    if len(columns) < 2 or not _is_tag(tag):
        raise UnreadableInput(
            f"{path}:{number}: {line[:80]!r} is not a token and a tag: a tag is O, or B- or I- and one of "
            f"{', '.join(sorted(SPELLINGS))}"
        )
    # A token of nothing but space characters would vanish in the joined text.
    return clean_text(token) or "\ufffd", tag[0].upper() + tag[1:]


def _is_tag(tag: str) -> bool:
    prefix, dash, label = tag.partition("-")
    return tag in ("O", "o") or (prefix in ("B", "I", "b", "i") and bool(dash) and label.lower() in SPELLINGS)


def joined_post(tokens: Sequence[tuple[str, str]], image: str | None = None) -> ConllPost:
    placed = []
    start = 0
    for token, tag in tokens:
        placed.append((start, start + len(token), tag))
        start += len(token) + 1
    return ConllPost(" ".join(token for token, _ in tokens), tuple(placed), image)


def gold_spans(post: ConllPost, *, lenient: bool) -> set[Span]:
    """Returns the names as (first token, end token, type).

    Strict counting opens a name only at `B-` and takes an `I-` that continues nothing for `O`. Lenient counting opens a
    name at such an `I-`.
    """
    spans: set[Span] = set()
    start: int | None = None
    label = ""
    tags = [tag for _, _, tag in post.tokens] + ["O"]
    for index, tag in enumerate(tags):
        prefix, _, spelled = tag.partition("-")
        name = SPELLINGS[spelled.lower()] if spelled else ""
        if prefix == "I" and start is not None and name == label:
            continue
        if start is not None:
            spans.add((start, index, SPELLINGS[label.lower()]))
            start = None
        if prefix == "B" or (prefix == "I" and lenient):
            start, label = index, name
    return spans
