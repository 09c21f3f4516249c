"""A network that can be cut: relays connections to a server, and breaks all of them on demand."""

import contextlib
import socket
import threading


class Wire:
    def __init__(self, port):
        self._port = port
        self._ends = []
        self._n_left, self._is_cut = None, threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._port))
            self._ends += [near, far]
            for source, target, is_answer in ((near, far, False), (far, near, True)):
                thread = threading.Thread(target=self._relay, args=(source, target, is_answer))
                self._threads.append(thread)
                thread.start()

    def _relay(self, source, target, is_answer):
        with contextlib.suppress(OSError):
            while piece := source.recv(4096):
                if is_answer and self._n_left is not None:
                    if self._n_left <= 0:
                        self._is_cut.wait(60)
                        break
                    self._n_left -= len(piece)
                target.sendall(piece)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def hold_after(self, n_bytes):
        """Lets about so many bytes of answers through from now on, and no more until the wire is cut."""
        self._is_cut.clear()
        self._n_left = n_bytes

    def cut(self):
        """Breaks every connection; new ones are taken again."""
        self._n_left = None
        self._is_cut.set()
        for end in list(self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(10)
        for end in self._ends:
            end.close()


@contextlib.contextmanager
def open_wire(port):
    wire = Wire(port)
    try:
        yield wire
    finally:
        wire.close()
