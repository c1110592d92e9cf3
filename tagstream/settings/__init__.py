"""The settings of one process: `TAGSTREAM_*` variables over a TOML file over the defaults of the classes here.

::

    kinds.py ◀─ run, tagging, broker, elasticsearch, networks, media, detection, serving ◀─ schema.py: Settings
                                                                                                     ▲
           variables, TOML file ─▶ loading.py (sources.py merges) ───────────────────────────────────┘
                                   messages.py: what a refusal says

A key that is no setting is refused, and so is a variable that begins with `TAGSTREAM_`: a misspelt setting that is
silently ignored costs an afternoon. `make docs` writes the page of all settings from these classes.
"""

from tagstream.settings.kinds import REPOSITORY
from tagstream.settings.loading import load_settings
from tagstream.settings.messages import limits, refused, shown_value
from tagstream.settings.schema import PREFIX, RENAMED_SETTINGS, Settings

__all__ = ["PREFIX", "RENAMED_SETTINGS", "REPOSITORY", "Settings", "limits", "load_settings", "refused", "shown_value"]
