"""Peers that need torch: pre-trained encoders, other people's classifiers, NLI and SetFit.

torch and transformers are imported here only, and only when a command asks for such a peer; a test holds it.
"""
