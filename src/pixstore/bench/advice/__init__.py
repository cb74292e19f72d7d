"""Advice: which way of keeping these images is best on this machine for a stated use, measured on a sample and decided by named rules."""
