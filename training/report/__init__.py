"""The report on every system of the papers: records, the table of `docs/reference/results.md`, pictures.

::

    training.experiments: recipe, corpus, seed ─▶ run ─▶ record ─▶ table (plots, cases, significance)
                                                  └▶ attention, gallery: a run or its record, looked at

What systems read is made in `training/inputs/`; systems stand in `training/systems/`, one file each, over the layers of
`training/layers/`; a row of the table is a file of `training/configs/` with a corpus and a seed.
"""
