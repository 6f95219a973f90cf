"""Where a plan goes: a package that Anki imports, or an Anki itself, as `deeds.Anki` says."""
