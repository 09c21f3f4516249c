"""The training room: rows -> fine-tuned checkpoint -> calibrated, quantised, parity-checked model folder."""

import os

import twohands  # noqa: F401 - before ONNX Runtime, which it keeps from telling its maker

# Read when torch is first imported, so it is set here, though an import should change nothing. By default threads of a
# step that wait for each other spin, and take the CPU from the one they wait for wherever anything else runs: with a
# neighbour on one of two CPUs a step took four times as long. Where nothing else runs, `active` saves a fifth.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
