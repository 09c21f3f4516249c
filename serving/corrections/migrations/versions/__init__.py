"""Owns the revisions, one file each, in the order that their numbers say."""
