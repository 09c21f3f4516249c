"""Owns the order in which an epoch shows the rows; knows nothing of models and of processes."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import Sampler
from transformers.trainer_pt_utils import get_length_grouped_indices


class EpochOrder(Sampler[int]):
    """Shuffles the rows anew each epoch, those of like length together, by nothing but a seed and the epoch's number.

    The shared generator of torch will not do: dropout draws from it, as often as a batch is wide, so that processes of
    one run come to differ, each then showing its part of another order; and a run that goes on after a kill would
    shuffle what is left of the epoch otherwise than it had begun.
    """

    def __init__(self, lengths: Sequence[int], *, batch_size: int, seed: int, read_epoch: Callable[[], int]) -> None:
        """Keep what an order is drawn from.

        Args:
            lengths: tokens of each row.
            batch_size: rows of one step of one process.
            seed: of the run.
            read_epoch: gives the number of the epoch that begins or goes on, from 0.
        """
        super().__init__()
        self._lengths = list(lengths)
        self._batch_size = batch_size
        self._seed = seed
        self._read_epoch = read_epoch

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        """Give the places of the rows of one epoch, each once."""
        # Not their sum: the second epoch of one seed would be the first one of the next.
        drawn = int(np.random.SeedSequence([self._seed, self._read_epoch()]).generate_state(1)[0])
        generator = torch.Generator().manual_seed(drawn)
        return iter(get_length_grouped_indices(self._lengths, self._batch_size, generator=generator))
