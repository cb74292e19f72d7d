"""Folders of image files: names, listings, what lies beside them."""
