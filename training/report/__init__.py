"""Every system of the papers, trained and measured side by side: `python -m training.report`, or `make zoo`.

::

    recipe, corpus, seed ─▶ run (trainer, scoring) ─▶ record ─▶ table (plots, cases, significance)
                             └▶ exporting, attention, gallery: a run or its record, looked at

What systems read is made in `training/inputs/`; systems stand in `training/systems/`, one file each, over the layers of
`training/layers/`; a row of the table is a file of `training/configs/` with a corpus and a seed.
"""
