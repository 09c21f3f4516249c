"""Behaviour tests: what a model must, must not, and may not change its mind about. Suites are YAML data."""
