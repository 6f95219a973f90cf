"""Where a plan goes; every destination answers `data.Destination`."""
