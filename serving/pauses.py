"""Owns that the garbage collector does not stop a service for a tenth of a second amid its requests.

A full collection looks at every object there is: some hundred thousand of the libraries', none of which will ever be
garbage, while no other thread of Python's runs.
"""

import asyncio
import gc
from collections.abc import Callable

from serving.freed import give_back

_POLL_S = 0.02
_N_LOOKS = 1500  # half a minute


def settle() -> None:
    """Collect once, and have later collections pass over all that is there now.

    It takes what one full collection takes, so it is for when nobody waits: once a service is ready.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


async def settle_anew(is_idle: Callable[[], bool]) -> None:
    """The same where `settle` was called before; for after something large was let go, which else were passed over.

    What it held goes back to the system.

    Args:
        is_idle: whether nobody waits; asked until it is so, or for half a minute.
    """
    if not gc.get_freeze_count():
        return
    for _ in range(_N_LOOKS):
        await asyncio.sleep(_POLL_S)  # first: a failure that is being told holds what it failed with
        if is_idle():
            break
    settle()
    await asyncio.to_thread(give_back)
