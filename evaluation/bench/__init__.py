"""Owns how fast a model is: alone, behind HTTP, and beside its peers."""
