"""The training room: rows -> fine-tuned checkpoint -> calibrated, quantised, parity-checked model folder."""
