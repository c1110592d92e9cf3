"""The tables that searches and counts read in the SQLite index: `terms`, `mentions`, `entities` and `facets`.

They hold exactly the documents whose author is not hidden. So no search has to ask who is hidden, however many authors
are; hiding or showing an author instead costs a step for each of the author's posts. Nothing is kept aside meanwhile:
terms and entity mentions follow from the document. The caller holds the transaction.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence

from search.documents import read_document
from search.sqlite.compaction import note_removal
from search.sqlite.reads import SHOWN
from search.terms import facets_of, hash_key, marks_column, words_column
from tagstream.posts import Entity, TaggedPost
from tagstream.text.entity_keys import with_current_keys

_STEP = 500

Numbered = tuple[int, int | None, TaggedPost]
"""A post's number, the key of its author if it has one, and the post."""


def add(connection: sqlite3.Connection, posts: Sequence[Numbered]) -> None:
    """Adds posts to what is searched and counted, in order of number; none of them may be there."""
    terms, entities, mentions = [], [], []
    for number, author, post in posts:
        counted_as = _counted_as(author, post)
        terms.append((number, words_column(post), marks_column(post)))
        for entity, mention in _distinct(post.entities):
            entities.append((entity, mention.type, mention.key))
            mentions.append((entity, number, counted_as, mention.text))
    execute = connection.executemany
    execute("INSERT INTO terms (rowid, words, marks) VALUES (?, ?, ?)", terms)
    execute("INSERT OR IGNORE INTO entities VALUES (?, ?, ?)", entities)
    execute("INSERT INTO mentions VALUES (?, ?, ?, ?)", mentions)
    _add_facets(connection, posts)


def _add_facets(connection: sqlite3.Connection, posts: Iterable[Numbered]) -> None:
    facets = [(number, _counted_as(author, post), facets_row(post)) for number, author, post in posts]
    connection.executemany("INSERT INTO facets VALUES (?, ?, ?)", facets)


def facets_row(post: TaggedPost) -> str:
    """Returns what is counted of a post: texts `kind:value`, each once, as JSON without the brackets of the list."""
    entities = [entity for _, entity in _distinct(post.entities)]
    values = [f"{kind}:{value}" for kind, value in facets_of(post)]
    values += [f"{entity.type}:{entity.key}" for entity in entities]
    values += [f"type:{type_}" for type_ in {entity.type for entity in entities}]
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))[1:-1]


def facets_anew(connection: sqlite3.Connection) -> None:
    """Fills the table of facets, which is empty, from the posts that may be seen."""
    last = -1
    while rows := connection.execute(
        f"SELECT number, author, document FROM documents WHERE number > ? AND {SHOWN} ORDER BY number LIMIT ?",
        (last, _STEP),
    ).fetchall():
        _add_facets(connection, [(number, author, read_document(document)) for number, author, document in rows])
        last = rows[-1][0]


def _counted_as(author: int | None, post: TaggedPost) -> int:
    """Returns the number by which the author is told from others; a post without one is its own."""
    return hash_key("post", post.id) if author is None else author


def remove(connection: sqlite3.Connection, posts: Iterable[int]) -> None:
    """Removes every trace of the posts of these numbers; numbers that are not there are passed over."""
    numbers = [(number,) for number in posts]
    if numbers:
        note_removal(connection)
    entities = {
        row[0]
        for number in numbers
        for row in connection.execute("SELECT entity FROM mentions WHERE number = ?", number)
    }
    execute = connection.executemany
    execute("DELETE FROM terms WHERE rowid = ?", numbers)
    execute("DELETE FROM mentions WHERE number = ?", numbers)
    execute("DELETE FROM facets WHERE number = ?", numbers)
    # A name that nobody mentions any more may be what a deletion was about.
    execute(
        "DELETE FROM entities WHERE entity = ?1 AND NOT EXISTS (SELECT 1 FROM mentions WHERE entity = ?1)",
        [(entity,) for entity in entities],
    )


def is_hidden(connection: sqlite3.Connection, author: int) -> bool:
    """Returns whether the author is hidden, so that no post of theirs may be added."""
    return connection.execute("SELECT 1 FROM hidden_authors WHERE author = ?", (author,)).fetchone() is not None


def hide_author(connection: sqlite3.Connection, author: int) -> None:
    """Takes out all that an author wrote, and notes that the author is hidden."""
    # Whoever finds two accounts of one key has them hidden and shown as one, and breaks nothing.
    connection.execute("INSERT OR IGNORE INTO hidden_authors VALUES (?)", (author,))
    remove(connection, _numbers_of(connection, author))


def show_author(connection: sqlite3.Connection, author: int) -> None:
    """Puts in again all that a hidden author wrote."""
    if not connection.execute("DELETE FROM hidden_authors WHERE author = ?", (author,)).rowcount:
        return
    numbers = _numbers_of(connection, author)
    for start in range(0, len(numbers), _STEP):
        add(connection, [_numbered(connection, number) for number in numbers[start : start + _STEP]])


def analyse_anew(connection: sqlite3.Connection) -> None:
    """Makes anew what follows from the analysis: names' keys, terms, mentions. Those of another are not found.

    Hidden authors' posts get their keys, too, for when their authors are shown again.
    """
    for table in ("terms", "mentions", "entities", "facets"):
        connection.execute(f"DELETE FROM {table}")
    last = -1
    while rows := connection.execute(
        f"SELECT number, author, document, {SHOWN} FROM documents WHERE number > ? ORDER BY number LIMIT ?",
        (last, _STEP),
    ).fetchall():
        shown, renewed = [], []
        for number, author, document, is_shown in rows:
            stored = read_document(document)
            post = with_current_keys(stored)
            if post is not stored:
                renewed.append((post.model_dump_json(), number))
            if is_shown:
                shown.append((number, author, post))
        connection.executemany("UPDATE documents SET document = ? WHERE number = ?", renewed)
        add(connection, shown)
        last = rows[-1][0]


def _numbers_of(connection: sqlite3.Connection, author: int) -> Sequence[int]:
    rows = connection.execute("SELECT number FROM documents WHERE author = ? ORDER BY number", (author,))
    return [number for (number,) in rows]


def _numbered(connection: sqlite3.Connection, number: int) -> Numbered:
    row = connection.execute("SELECT number, author, document FROM documents WHERE number = ?", (number,)).fetchone()
    return row[0], row[1], read_document(row[2])


def _distinct(entities: Iterable[Entity]) -> Iterable[tuple[int, Entity]]:
    """Returns the first mention of each entity of a post, with the entity's hash."""
    found: dict[int, Entity] = {}
    for entity in entities:
        found.setdefault(hash_key(entity.type, entity.key), entity)
    return found.items()
