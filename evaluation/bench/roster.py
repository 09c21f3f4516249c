"""Owns who is raced: every peer, the package it needs, its program, and how it is told to run."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from evaluation.bench.answers import Answer
from evaluation.bench.checkpoint import is_ordinary
from evaluation.bench.engines import PROGRAMS, Peer, probe
from evaluation.bench.served import make_serve_command
from twohands.cpu import multiplies_bf16

US = "twohands"
_BY_DEFAULTS = "by ONNX Runtime's defaults"


@dataclass(frozen=True, slots=True)
class Files:
    """What is served: our folder, the peers' checkpoint and fp32 graph."""

    model: Path
    checkpoint: Path | None
    fp32: Path | None
    max_tokens: int
    with_graph: Path | None = None
    """The checkpoint once more with the fp32 graph beside its weights, in a folder of its own."""

    @property
    def tokenizer(self) -> str:
        """The one tokenizer of all."""
        return str(self.model / "tokenizer.json")

    @property
    def graph(self) -> str:
        """The int8 graph that we serve; peers load the file with the runtime's defaults, not with our settings."""
        return str(self.model / "model.onnx")


def _name_second() -> str:
    return f"{US} openvino {'bf16' if multiplies_bf16() else 'f32'}"


def list_engines(
    files: Files, pythons: Mapping[str, str], *, own: str, threads: int, with_openvino: bool = False
) -> list[Peer]:
    """Name the engines; ourselves first.

    Args:
        files: what they load.
        pythons: interpreters by peer.
        own: the interpreter of this process, for peers that none was named for.
        threads: that each may use.
        with_openvino: also race our own second runtime.

    Returns:
        Those that the files allow for.
    """

    def program(name: str) -> str:
        return str(PROGRAMS / name)

    count, cut = str(threads), str(files.max_tokens)
    peers = [Peer(US, US, own, (program("engine_twohands.py"), str(files.model), count, "onnxruntime"))]
    words: tuple[str, ...]
    if with_openvino:
        words = (program("engine_twohands.py"), str(files.model), count, "openvino")
        peers.append(Peer(_name_second(), US, own, words))
    if files.checkpoint is not None:
        python = pythons.get("transformers", own)
        for precision in ("fp32", "bf16") if multiplies_bf16() else ("fp32",):
            # Its documentation says not to batch on a CPU, and its default is not to; batches are what our bar names.
            for name, size in (("", "16"), (", one a run", "1")):
                path = str(files.checkpoint)
                words = (program("engine_transformers.py"), path, count, cut, precision, size)
                peers.append(Peer(f"transformers {precision}{name}", "transformers", python, words))
    if files.fp32 is not None:
        python = pythons.get("onnxruntime", own)
        for name, size in (("onnxruntime fp32", "1"), ("onnxruntime fp32, batches", "16")):
            words = (program("engine_onnxruntime.py"), str(files.fp32), files.tokenizer, count, cut, size)
            peers.append(Peer(name, "onnxruntime", python, words))
        python = pythons.get("openvino", own)
        words = (program("engine_openvino.py"), str(files.fp32), files.tokenizer, count, cut, "default")
        peers.append(Peer("openvino", "openvino", python, words))
    return peers


@dataclass(frozen=True, slots=True)
class ServedPeer:
    """A server to race: how it is started, where it answers, and how a text is sent to it."""

    name: str
    package: str
    python: str
    command: tuple[str, ...]
    url: str | None
    path: str
    health: str
    body: Mapping[str, object]
    """The request; the text goes where `TEXT` stands."""
    configuration: str
    answer: Answer
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that are set for it."""
    folder: Path | None = None
    """Where it is started; None for where we are."""


TEXT = "{text}"


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _accelerate_infinity(checkpoint: Path, python: str) -> tuple[tuple[str, ...], str]:
    """Say whether infinity turns the model into a bettertransformer, its default: words of its command, and for people.

    Without optimum 1.x some of its releases end at once where it is on, and the others leave it off.
    """
    off = ("--no-bettertransformer",)
    if not is_ordinary(checkpoint):
        return off, "bettertransformer (its default) off, which knows no model with mean pooling"
    if not probe(python, "optimum").get("optimum", "").startswith("1."):
        return off, "bettertransformer (its default) off, for which optimum 1.x is missing"
    return (), "bettertransformer on (its default), where it knows the model"


def _list_infinity(
    name: str, python: str, engine: tuple[str, ...], said: str, *, threads: int, folder: Path
) -> ServedPeer:
    port = free_port()
    command = (
        python, "-m", "infinity_emb.cli", "v2", "--served-model-name", "peer",
        *engine, "--device", "cpu", "--trust-remote-code",
        "--batch-size", "32", "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning",
    )  # fmt: skip
    return ServedPeer(
        name, "infinity-emb", python, command, f"http://127.0.0.1:{port}", "/classify", "/health",
        {"model": "peer", "input": [TEXT], "raw_scores": True}, said, Answer.SCORES,
        # It would tell its maker of each start, with its command.
        {"OMP_NUM_THREADS": str(threads), "INFINITY_ANONYMOUS_USAGE_STATS": "0"}, folder,
    )  # fmt: skip


def _list_infinities(files: Files, checkpoint: Path, python: str, *, threads: int) -> list[ServedPeer]:
    """By PyTorch, its default, and by optimum (ONNX Runtime), which its README prefers on CPUs."""
    words, said = _accelerate_infinity(checkpoint, python)
    # It leaves a cache where it is started, so not here. The interpreter's path is made absolute for that, but not
    # resolved, since a virtual environment's is a link.
    python = os.path.abspath(python) if os.sep in python else python  # noqa: PTH100
    common = f"on {_count(threads, 'thread')}, fp32, dynamic batches of up to 32"
    engine = ("--model-id", ".", "--engine", "torch", "--dtype", "float32", *words)
    said = f"engine torch {common}; {said}"
    found = [_list_infinity("infinity", python, engine, said, threads=threads, folder=checkpoint)]
    if files.with_graph is not None:
        # Of a model that is no name of a hub it finds the graph only from within its folder (0.0.78, with optimum 2).
        # Its warm-up asks for 514 tokens uncut, which is more than a model of 512 positions has.
        engine = ("--model-id", ".", "--engine", "optimum", "--no-model-warmup")
        said = (
            f"engine optimum {common}, of which its pipeline runs one text at a time; the fp32 graph, which it "
            "optimizes where it knows the model; without its warm-up, which asks for 514 tokens"
        )
        folder = files.with_graph
        found.append(_list_infinity("infinity, optimum", python, engine, said, threads=threads, folder=folder))
    return found


def _count(n: int, word: str) -> str:
    return f"{n} {word}{'s'[: n != 1]}"


def list_servers(
    files: Files, pythons: Mapping[str, str], *, own: str, workers: int, with_openvino: bool = False
) -> list[ServedPeer]:
    """Name the servers; ourselves first. Each gets as many workers of one thread as we have threads.

    Args:
        files: what they load.
        pythons: interpreters by peer.
        own: the interpreter of this process.
        workers: processes of each peer.
        with_openvino: also race ourselves with our second runtime.

    Returns:
        Those that the files allow for.
    """
    plain = {"inputs": TEXT}
    folder = str(files.model.resolve())
    one_process = f"one process of {_count(workers, 'thread')}"
    command = make_serve_command(folder, threads=workers, workers=1)
    ours = [(US, command, f"{one_process}, one paragraph a run, unpadded; the int8 graph")]
    if with_openvino:
        command = make_serve_command(folder, threads=workers, workers=1, runtime="openvino")
        said = f"{one_process}, --runtime openvino: up to 8 paragraphs of nearly equal length a run"
        ours.append((_name_second(), command, said))
    if workers > 1:
        command = make_serve_command(folder, threads=workers, workers=workers)
        said = f"--workers {workers}: processes of one thread, as the peers have them; the int8 graph"
        ours.append((f"{US} --workers {workers}", command, said))
    served = [
        ServedPeer(name, US, own, tuple(command), None, "/v1/classify", "/readyz", plain, said, Answer.PREDICTIONS)
        for name, command, said in ours
    ]
    each = f"{_count(workers, 'worker')} of one thread"
    alone = f"{each}, one unpadded text a run (its default)"
    raced = [
        (
            "fastapi",
            "fastapi",
            "/classify",
            f"uvicorn with {_count(workers, 'worker')}, each with a pool of 40 threads, one unpadded run on each",
            (),
        ),
        ("litserve", "litserve", "/predict", f"{each}, batches of 8 within 10 ms", ("8",)),
        # Its default is not to batch; batches of mixed lengths, which are padded, can cost more than they save.
        ("litserve, one a run", "litserve", "/predict", alone, ("1",)),
        ("ray", "ray", "/", f"{_count(workers, 'replica')} of one thread, @serve.batch of 8 within 10 ms", ()),
    ]
    graphs = [(files.graph, "int8", one) for one in raced]
    if files.fp32 is not None:
        # What one has who serves a checkpoint: our int8 graph is half of our own work, and the others have it for free.
        graphs.append((str(files.fp32), "fp32", ("litserve fp32, one a run", "litserve", "/predict", alone, ("1",))))
    for graph, precision, (name, package, path, said, more) in graphs:
        port, python = free_port(), pythons.get(package, own)
        loaded = (graph, files.tokenizer, str(files.max_tokens))
        words = (python, str(PROGRAMS / f"serve_{package}.py"), *loaded, str(port), str(workers), *more)
        health = "/" if package == "ray" else "/health"
        url = f"http://127.0.0.1:{port}"
        said = f"{said}; the {precision} graph, {_BY_DEFAULTS}"
        served.append(ServedPeer(name, package, python, words, url, path, health, plain, said, Answer.LOGITS))
    if files.checkpoint is not None:
        served += _list_infinities(files, files.checkpoint, pythons.get("infinity", own), threads=workers)
    return served
