"""The ways of keeping images that the bench compares."""
