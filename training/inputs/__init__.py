"""The inputs of systems: tweets with tags, and words, characters, pieces, photos, captions, labels as numbers.

::

    sentences ─┬▶ views (vocabulary, word_vectors, photos, captions) ─▶ batch ─▶ neural systems
               └▶ token_features (gazetteers) ─▶ feature CRFs

Knows of no system.
"""
