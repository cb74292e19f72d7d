"""One file per layout that a dataset can be exported to."""
