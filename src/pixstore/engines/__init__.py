"""Storage formats: one file, one engine."""
