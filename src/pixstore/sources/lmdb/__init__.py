"""LMDB environments of others: found and walked from their bytes."""
