"""Reads labelled files as the commands do: whole or not at all."""

import pytest

from evaluation.dataset import load_labelled
from twohands.errors import DataError


def load_examples(paths, taxonomy):
    return load_labelled(paths, taxonomy).examples


def faults_of(path, taxonomy):
    """What is wrong with a file of rows that must be refused."""
    with pytest.raises(DataError) as caught:
        load_examples([path], taxonomy)
    return caught.value.faults
