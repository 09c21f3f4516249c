"""Owns how much of all bodies together one process holds in memory; each alone is bounded in `limits.py`.

What has come of a body is held until its request ends, and it may come as slowly as it is paid for by its size. So
hundreds of connections could hold gigabytes, none of them beyond its own bound.
"""

from twohands.errors import OverloadedError

# Of each body; so small ones are never shut out by large ones, and connections are bounded.
FREE_BYTES = 65_536
_RETRY_AFTER_S = 5
# In the state of a request's scope: its `HeldBody`.
HELD_BODY = "held_body"


class BodyRoom:
    """Room that all requests of a process share. Belongs to one event loop."""

    def __init__(self, max_bytes: int) -> None:
        """Hold nothing yet.

        Args:
            max_bytes: of all bodies, the first of each not counted; a single larger one is held when it is alone.
        """
        self._max_bytes = max_bytes
        self.n_held = 0

    def check(self, n_more: int) -> None:
        """Refuse what there is no room for.

        Args:
            n_more: bytes that would be held further.

        Raises:
            OverloadedError: there is no room for them beside what is held already.
        """
        if self.n_held and self.n_held + n_more > self._max_bytes:
            raise OverloadedError(
                f"the bodies of other requests take up the room for large ones; send at most {FREE_BYTES} bytes at "
                "once, or try again in a moment",
                retry_after_s=_RETRY_AFTER_S,
            )


class HeldBody:
    """What is held of one request's body."""

    def __init__(self, room: BodyRoom) -> None:
        """Hold nothing yet.

        Args:
            room: of the process.
        """
        self._room = room
        self._n_counted = 0

    def check(self, n_bytes: int) -> None:
        """Refuse a body by its declared size; it takes no room before it comes.

        Args:
            n_bytes: that will be held.

        Raises:
            OverloadedError: there is no room for it.
        """
        if n_bytes > FREE_BYTES:
            self._room.check(n_bytes - FREE_BYTES)

    def hold(self, n_bytes: int) -> None:
        """Tell how much is held from now on.

        Args:
            n_bytes: of the body, or of what was read of it, all that is held.

        Raises:
            OverloadedError: there is no room for what is new of it; then it is held no longer.
        """
        n_counted = max(0, n_bytes - FREE_BYTES)
        self._room.n_held -= self._n_counted
        self._n_counted = 0
        if n_counted:
            self._room.check(n_counted)
            self._room.n_held += n_counted
            self._n_counted = n_counted
