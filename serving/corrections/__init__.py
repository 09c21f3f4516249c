"""Owns what readers say the model got wrong: kept on request, reviewed, exported, and purged."""
