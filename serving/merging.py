"""Owns that what is asked for many times while it runs is done once more, not as many times."""

import asyncio
from collections.abc import Awaitable, Callable


class Merged:
    """Work that is asked for by signals; belongs to one event loop."""

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do nothing yet.

        Args:
            work: what is done; one run at a time.
        """
        self._work = work
        self._is_wanted = False
        self._task: asyncio.Task[None] | None = None

    def ask(self) -> None:
        """Let it be done, wholly after this; on the event loop."""
        self._is_wanted = True
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while self._is_wanted:
            self._is_wanted = False
            await self._work()
