"""Every system of the papers, trained and measured side by side: `python -m training.zoo`, or `make zoo`.

::

    sentences ─▶ views (words, characters, pieces, photo, caption, hashtags) ─▶ a system ─▶ spans ─▶ record ─▶ table

Systems stand in `training/systems/`, one file each, over the layers of `training/layers/`; a row of the table is a file
of `training/configs/` with a corpus and a seed.
"""
