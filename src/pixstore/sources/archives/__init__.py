"""Archives and sets of shards of others, never unpacked to disk."""
