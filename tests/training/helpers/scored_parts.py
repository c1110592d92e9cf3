"""Scored parts of made-up tweet sets: without all of them no training begins."""

from pathlib import Path

from training.scored_texts import scored_files


def write_scored_parts(data: Path, posts: str = "far\tO\naway\tO\n{part}\tO\n\n") -> list[str]:
    """Writes every scored part that is not there, `{part}` standing for a letter of its own; returns all their names.

    The posts are in the form of BIO files.
    """
    names = list(scored_files())
    for part, name in zip("abcdefghijklmnop", names, strict=False):
        path = data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(posts.format(part=part))
    return names
