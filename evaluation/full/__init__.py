"""The full report of one model: every measurement in one folder, one summary for its card and for the docs."""
