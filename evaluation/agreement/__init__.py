"""Agreement between people, and between people and a model, on one scale."""
