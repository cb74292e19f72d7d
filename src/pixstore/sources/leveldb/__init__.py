"""LevelDB folders of others: manifest, log and tables from their bytes."""
