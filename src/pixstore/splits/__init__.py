"""Splits: which samples are in which part, drawn by seed and key, saved by name."""
