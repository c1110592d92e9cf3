"""From a specification such as `sqlite:posts.db` to an open index."""

from search.index import EntityIndex
from search.sqlite import SqliteIndex
from tagstream.errors import BadSettings


async def open_index(spec: str, *, create: bool = True) -> EntityIndex:
    """Opens the index that `spec` names: to write, and making it where there is none, unless `create` is false.

    Raises:
        BadSettings: the specification names no kind of index that there is.
        IndexUnavailable: another process writes to it, or it does not answer.
        Fatal: it cannot be opened, is something else, or is newer than this program.
    """
    kind, colon, rest = spec.partition(":")
    if kind == "sqlite" and rest:
        return await SqliteIndex.open(rest, create=create)
    if kind == "sqlite":
        raise BadSettings(f"The index {spec!r} names no file. Write sqlite:PATH, for example sqlite:posts.db.")
    problem = f"There is no index of kind {kind!r}" if colon else f"The index {spec!r} has no kind"
    raise BadSettings(f"{problem}. Write sqlite:PATH, for example sqlite:posts.db.")
