"""HDF5 files of others: examined in a child, read by plain reads."""
