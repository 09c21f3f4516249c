"""Owns the command `bench peers`, and how its figures look in a terminal."""

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from evaluation.bench.answers import MIN_CHECKED, make_reference
from evaluation.bench.checkpoint import lay_graph_beside, prepare_checkpoint, read_config
from evaluation.bench.client import import_aiohttp
from evaluation.bench.engines import PROGRAMS, probe
from evaluation.bench.machine import add_load_after, describe_machine
from evaluation.bench.options import (
    DATA,
    JSON,
    MODEL,
    N_TEXTS_HELP,
    REPORT,
    SEED,
    check_report,
    check_threads,
    choose_texts,
    write_report,
)
from evaluation.bench.peers import find_present, race_engines, race_servers
from evaluation.bench.quantiles import say_ms
from evaluation.bench.roster import Files, list_engines, list_servers
from evaluation.bench.served import describe_idle, import_psutil
from evaluation.bench.texts import pick_evenly
from evaluation.options import PATH, VariadicCommand, describe_command, list_versions, tell_figures
from evaluation.progress import show_progress
from evaluation.tables import WIDTH
from twohands.classifier import Classifier
from twohands.cpu import multiplies_bf16
from twohands.encoding import EncodedParagraph
from twohands.errors import BenchError, ConfigError, FileReadError
from twohands.hashing import sha256_of_file
from twohands.locate import find_model
from twohands.manifest import load_manifest
from twohands.runtimes import choose_runtime

Json = dict[str, Any]
_EXPORT_TIMEOUT_S = 1800.0
_N_ALONE = 40
_NAMES = ("transformers", "onnxruntime", "openvino", "fastapi", "litserve", "ray", "infinity")
_INSTALLS = {
    "transformers": "pip install transformers torch",
    "onnxruntime": "pip install onnxruntime",
    "openvino": "pip install openvino tokenizers",
    "fastapi": "pip install fastapi uvicorn onnxruntime tokenizers",
    "litserve": "pip install litserve onnxruntime tokenizers",
    "ray": "pip install 'ray[serve]' onnxruntime tokenizers",
    "infinity-emb": "pip install 'infinity-emb[server,torch,optimum]'",
}


def parse_pythons(values: tuple[str, ...]) -> dict[str, str]:
    """Read `--python peer=PATH`.

    Args:
        values: as given.

    Returns:
        Interpreters by peer.

    Raises:
        ConfigError: one names no peer, or no file.
    """
    found, faults = {}, []
    for value in values:
        name, is_named, path = value.partition("=")
        if not is_named or name not in _NAMES:
            faults.append(f"{value!r}: expected PEER=PATH with one of {', '.join(_NAMES)}")
        elif not Path(path).is_file():
            faults.append(f"{value!r}: there is no interpreter {path}")
        else:
            found[name] = str(Path(path).absolute())  # not resolved: a virtual environment is known by its link
    if faults:
        raise ConfigError("these interpreters cannot be used", faults)
    return found


def choose_alone(encoded: Sequence[EncodedParagraph], *, is_shuffled: bool) -> list[int]:
    """Choose the texts that are timed one at a time.

    Args:
        encoded: all texts.
        is_shuffled: as the built-in mix is; files are often sorted.

    Returns:
        Their numbers, 40 at most, evenly spaced unless all are shuffled; those of several windows last.
    """
    every = range(len(encoded))
    chosen = every[:_N_ALONE] if is_shuffled else pick_evenly(every, _N_ALONE)
    return sorted(chosen, key=lambda number: len(encoded[number].windows) > 1)


def export_fp32(python: str, checkpoint: Path, target: Path) -> None:
    """Export the fp32 graph with the peer's own torch.

    Args:
        python: an interpreter that has torch and transformers.
        checkpoint: as `prepare_checkpoint` makes it.
        target: the graph.

    Raises:
        BenchError: it cannot be exported there, or not in time.
    """
    words = [python, str(PROGRAMS / "export_fp32.py"), str(checkpoint), str(target)]
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            words, capture_output=True, text=True, check=False, timeout=_EXPORT_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        said = f"{python} did not export the fp32 graph within {_EXPORT_TIMEOUT_S:g} s; give --fp32 FILE"
        raise BenchError(said) from error
    if done.returncode:
        raise BenchError(f"{python} cannot export the fp32 graph: {done.stderr.strip()[-800:]}; or give --fp32 FILE")


def _try_export(python: str, checkpoint: Path, target: Path, figures: Json) -> Path | None:
    """Export the fp32 graph, or say in the report why there is none: the others can be raced without it."""
    name = "onnxruntime fp32, openvino, litserve fp32"
    if len(probe(python, "torch", "transformers")) < 2:
        what_to_do = f"{_INSTALLS['transformers']}, or --python transformers=PATH, or --fp32 FILE: for its export"
        figures["absent"].append({"name": name, "package": "torch", "what_to_do": what_to_do})
        return None
    try:
        export_fp32(python, checkpoint, target)
    except BenchError as error:
        figures["broken"].append({"name": name, "reason": str(error)})
        return None
    return target


def _add_versions(figures: Sequence[Json], versions: Mapping[str, Mapping[str, str]]) -> None:
    for one in figures:
        one["versions"] = dict(versions[one["name"]])


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}x"


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left")
    return table


def _print_engines(console: Console, engines: Sequence[Mapping[str, Any]], n_alone: int) -> None:
    console.print("\n[bold]in process[/bold]: medians of rounds in turn; `ours` is how many times as fast we are")
    table = _table("bulk", "paragraphs/s", "ours", "CPU ms each", "ours", "logits differ")
    for one in engines:
        differs = one["max_logit_difference"]
        table.add_row(
            one["name"],
            f"{one['paragraphs_per_s']:.1f}",
            _ratio(one.get("ours_bulk_ratio")),
            f"{one['bulk_cpu_ms']:.1f}",
            _ratio(one.get("ours_bulk_cpu_ratio")),
            "-" if differs is None else f"{differs:.2g}",
        )
    console.print(table)
    console.print()
    table = _table("one at a time", "p50 ms", "ours", "CPU ms each", "ours", "p90 ms")
    for one in engines:
        late = one["latency"]
        table.add_row(
            one["name"],
            say_ms(late["p50_ms"]),
            _ratio(one.get("ours_alone_ratio")),
            f"{one['alone_cpu_ms']:.1f}",
            _ratio(one.get("ours_alone_cpu_ratio")),
            say_ms(late["p90_ms"]),
        )
    console.print(table)
    console.print(f"One at a time: {n_alone} of the texts in each round.")
    console.print("On a busy machine CPU time is the steadier of the two: waiting for a core is no part of it.")


def _print_servers(console: Console, servers: Sequence[Mapping[str, Any]]) -> None:
    console.print("\n[bold]served[/bold]: a closed loop of clients; p99 needs 662 answers, and none that failed")
    table = _table("server", "clients", "answers/s", "ours", "p50 ms", "p99", "ours", "CPU ms", "fail")
    for one in servers:
        for n_clients, row in one["clients"].items():
            late = row["latency"]
            table.add_row(
                one["name"],
                n_clients,
                f"{row['requests_per_s']:.1f}",
                _ratio(row.get("ours_throughput_ratio")),
                say_ms(late["p50_ms"]),
                "-" if row["n_failed"] else say_ms(late["p99_ms"]),
                _ratio(row.get("ours_p99_ms_ratio")),
                "-" if row["cpu_ms_per_request"] is None else f"{row['cpu_ms_per_request']:.1f}",
                str(row["n_failed"]),
            )
    console.print(table)
    for one in servers:
        for n_clients, row in one["clients"].items():
            if row["first_failure"]:
                console.print(f"{one['name']}, {n_clients} clients: {row['first_failure']}", markup=False)


def _print_configurations(console: Console, measured: Sequence[Mapping[str, Any]]) -> None:
    console.print("\n[bold]configured as[/bold]")
    for one in measured:
        said = one["configuration"]
        text = said if isinstance(said, str) else ", ".join(f"{key} {value}" for key, value in said.items())
        more = ""
        # An engine tells its own among its settings; a sentence may hold a package's name, and not its version.
        untold = one["versions"].keys() - (() if isinstance(said, str) else said.keys())
        told = [f"{package} {version}" for package, version in one["versions"].items() if package in untold]
        text += f" ({', '.join(told)})" if told else ""
        if "memory_mb" in one:
            memory = f"{one['memory_mb']:.0f} MB ({one['memory_kind'].upper()} of all processes)"
            differs = one["max_answer_difference"]
            checked = "" if differs is None else f"; {one['answers']} differ from ours by at most {differs:.1g}"
            more = f"; idle {describe_idle(one['idle_cpu_share'], one['idle_seconds'])}, {memory}{checked}"
        console.print(f"{one['name']}: {text}{more}", markup=False)


def _print_peers(report: Mapping[str, Any]) -> None:
    """Print the tables of a report in 80 columns.

    Args:
        report: of `bench peers`.
    """
    console = Console(width=WIDTH, highlight=False)
    model, machine, texts = report["model"], report["machine"], report["texts"]
    each = f"{report['threads']} thread{'s'[: report['threads'] != 1]} each"
    console.print(f"{model['name']} {model['version']} ({model['sha256'][:12]}), {each}")
    console.print(f"commit {machine['commit'] or 'unknown'}")
    console.print(f"{machine['cpu_model']}, load {machine['load_1_min_before']:.1f} before the run")
    console.print(f"texts: {texts['source']}: {texts['n_texts']}, {texts['tokens_mean']} tokens on average")
    if report["engines"]:
        _print_engines(console, report["engines"], report["n_alone"])
    if report["servers"]:
        _print_servers(console, report["servers"])
    _print_configurations(console, [*report["engines"], *report["servers"]])
    for one in report["absent"]:
        console.print("[bold]not installed[/bold]: ", end="")
        console.print(f"{one['name']}; {one['what_to_do']}", markup=False)  # an extra stands in square brackets
    for one in report["broken"]:
        console.print("[bold]did not run[/bold]: ", end="")
        console.print(f"{one['name']}: {one['reason']}", markup=False)
    for note in report["notes"]:
        console.print(note)


@click.command(
    cls=VariadicCommand,
    short_help="Race a model against other engines and servers.",
    epilog="""\b
Example:
  twohands bench peers --checkpoint runs/twohands/checkpoint \\
    --python ray=/opt/ray/bin/python""",
)
@MODEL
@click.option(
    "--checkpoint", type=PATH, metavar="DIR", help="The model's fp32 weights, for peers: runs/NAME/checkpoint."
)
@click.option("--fp32", type=PATH, metavar="FILE", help="Its fp32 graph; default: exported from the checkpoint.")
@click.option("--python", "pythons", multiple=True, metavar="PEER=PATH", help="The interpreter that has a peer.")
@click.option("--only", type=click.Choice(["engines", "servers"]), help="Race only these.")
@DATA
@click.option("--n-texts", type=click.IntRange(8), default=96, show_default=True, help=N_TEXTS_HELP)
@click.option("--rounds", "n_rounds", type=click.IntRange(1), default=5, show_default=True, help="Of engines.")
@click.option("--server-rounds", type=click.IntRange(1), default=3, show_default=True, help="Of servers.")
@click.option("--seconds", type=click.FloatRange(0.5), default=10.0, show_default=True, help="Of a server's each load.")
@click.option("--clients", type=click.IntRange(1, 512), multiple=True, help="May be repeated; default: 8, 32, 128.")
@click.option("--threads", type=click.IntRange(1), help="That each may use; default: all that are free.")
@SEED
@JSON
@REPORT
@click.pass_context
def peers(
    ctx: click.Context,
    *,
    model: str | None,
    checkpoint: Path | None,
    fp32: Path | None,
    pythons: tuple[str, ...],
    only: str | None,
    data: tuple[Path, ...],
    n_texts: int,
    n_rounds: int,
    server_rounds: int,
    seconds: float,
    clients: tuple[int, ...],
    threads: int | None,
    seed: int,
    as_json: bool,
    report: Path | None,
) -> None:
    """Race a model against other engines and servers: the same weights, texts, threads and machine.

    In process: the transformers pipeline (fp32; bf16 too where the CPU multiplies it), in batches of 16 and one text a
    run, ONNX Runtime on the fp32 graph likewise, and OpenVINO. Served: a plain FastAPI endpoint, LitServe (in batches
    of 8 and one text a run) and Ray Serve with the file of our int8 graph, loaded with ONNX Runtime's defaults and not
    with our session's settings; LitServe again with the fp32 graph, and infinity with the fp32 weights (by PyTorch) and
    with that graph (by optimum), as one has them who serves a checkpoint. Each runs in a process of its own, in turn by
    rounds; ratios are of medians. How each is configured is printed, with versions; one that is not installed is named.
    Before one is timed it is asked for some texts, and one that says something else than our model is not raced. What
    failed is no answer.

    Peers that need an environment of their own are given by --python, such as --python litserve=/opt/ls/bin/python.
    Without a checkpoint there are no fp32 weights, and only servers of the int8 graph can be raced.
    """
    import_aiohttp()
    import_psutil()
    check_report(report)
    if fp32 is not None and not fp32.is_file():
        raise FileReadError(f"there is no file {fp32}; expected the model's graph in fp32")
    machine = describe_machine()
    folder = find_model(model)
    found = parse_pythons(pythons)
    (count,) = check_threads((threads,) if threads else (), default=(machine["cpus_granted"],))  # type: ignore[arg-type]  # a number
    if load_manifest(folder)[0].cascade is not None:
        raise BenchError(f"{folder} is a cascade of two graphs, and peers serve one: race each of its models")
    classifier = Classifier.load(folder, num_threads=count)
    texts, described = choose_texts(classifier.encoder, data, n_texts=n_texts, seed=seed)
    max_tokens = classifier.encoder.rule.max_tokens
    encoded = [classifier.encoder.encode(text) for text in texts]
    logits = classifier.predict_logits(encoded)
    identity = classifier.identity
    config = None if checkpoint is None else read_config(checkpoint)
    reference = make_reference(classifier, texts, config=config)
    classifier.close()
    notes = [] if multiplies_bf16() else ["This CPU does not multiply bf16: the pipeline in bf16 is not raced."]
    whole = [number for number, paragraph in enumerate(encoded) if len(paragraph.windows) == 1]
    n_long = len(texts) - len(whole)
    alone = choose_alone(encoded, is_shuffled=not data)
    if n_long:
        notes.append(f"{n_long} texts are longer than a window: peers cut them, we read all of them.")
    if len(reference.numbers) < MIN_CHECKED:
        notes.append(f"Fewer than {MIN_CHECKED} texts fit one window: whether peers answer rightly is not checked.")
    figures: Json = {
        "model": identity, "machine": machine, "threads": count, "texts": described,
        "n_alone": len(alone),
        "engines": [], "servers": [], "absent": [], "broken": [],
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="twohands-bench-") as place:
        prepared = None
        if checkpoint is None:
            graphs = "" if fp32 else ", ONNX Runtime, OpenVINO, LitServe in fp32"
            lost = f"transformers{graphs} and infinity"
            notes.append(f"Without --checkpoint there are no fp32 weights: {lost} are not raced.")
        else:
            prepared = Path(place) / "checkpoint"
            prepared.mkdir()
            figures["checkpoint"] = prepare_checkpoint(checkpoint, prepared, max_tokens=max_tokens)
            exporter = found.get("transformers", sys.executable)
            if fp32 is None:
                fp32 = _try_export(exporter, prepared, Path(place) / "fp32.onnx", figures)
        figures["fp32_sha256"] = None if fp32 is None else sha256_of_file(fp32)
        with_graph = lay_graph_beside(prepared, fp32, Path(place) / "with-graph") if prepared and fp32 else None
        files = Files(folder.resolve(), prepared, fp32.resolve() if fp32 else None, max_tokens, with_graph)
        has_second = choose_runtime("auto") == "openvino"  # where that takes it, it is ours, too
        if only != "servers":
            listed = list_engines(files, found, own=sys.executable, threads=count, with_openvino=has_second)
            engines, absent, versions = find_present(listed, _INSTALLS)
            figures["absent"] += absent
            with show_progress("racing engines", len(engines) * (n_rounds + 1)) as advance:
                figures["engines"], broken = race_engines(
                    engines, texts, reference=logits, numbers=whole, n_rounds=n_rounds, alone=alone, advance=advance,
                )  # fmt: skip
            figures["broken"] += broken
            _add_versions(figures["engines"], versions)
        if only != "engines":
            served = list_servers(files, found, own=sys.executable, workers=count, with_openvino=has_second)
            servers, absent, versions = find_present(served, _INSTALLS)
            figures["absent"] += absent
            with show_progress("racing servers", len(servers) * server_rounds) as advance:
                figures["servers"], broken = race_servers(
                    servers, texts, reference=reference, clients=clients or (8, 32, 128), n_rounds=server_rounds,
                    seconds=seconds, advance=advance,
                )  # fmt: skip
            figures["broken"] += broken
            _add_versions(figures["servers"], versions)
    figures |= {
        "machine": add_load_after(machine), "notes": notes, "versions": list_versions("aiohttp"),
        "command": describe_command(ctx),
    }  # fmt: skip
    tell_figures(figures, _print_peers, as_json=as_json)
    write_report(report, "peers.json", figures)
