"""The evaluation room: measures models on labelled rows, with intervals. Never imports another room."""
