"""Proof: that a store holds what was put in, that two datasets hold the same, and what is left of a damaged one."""
