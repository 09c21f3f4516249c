"""Owns that the garbage collector does not stop a service for a tenth of a second amid its requests.

A full collection looks at every object there is: some hundred thousand of the libraries', none of which will ever be
garbage, while no other thread of Python's runs.
"""

import gc


def settle() -> None:
    """Collect once, and have later collections pass over all that is there now.

    It takes what one full collection takes, so it is for when nobody waits: once a service is ready.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def settle_anew() -> None:
    """The same where `settle` was called before; for after something large was let go, which else were passed over."""
    if gc.get_freeze_count():
        settle()
