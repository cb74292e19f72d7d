"""Foreign layouts, one file each; the registry imports them by name when a path is opened."""
