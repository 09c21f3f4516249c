"""Every family of encoders, by config alone: rows -> checkpoint -> gates -> folder -> service, and by OpenVINO."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from serving.app import create_app
from serving.settings import ServeSettings
from tests.serving.support import open_client
from tests.support.encoders import FAMILIES, make_encoder
from tests.support.runtimes import skip_without_openvino
from training import graphs
from training.config import TrainConfig, load_config
from training.data import load_splits
from training.encoders import FoundEncoder, find_encoder
from training.export import export_checkpoint
from training.loop import fit
from training.model import build_model, load_checkpoint, set_attention_dropout
from training.students import choose_layers
from twohands import Classifier
from twohands.encoding import ParagraphEncoder
from twohands.errors import ConfigError, EncoderError
from twohands.manifest import load_manifest
from twohands.openvino_session import OpenVinoSession
from twohands.session import OnnxSession
from twohands.weight_only import make_weight_only

# What must hold in every run stands here for mean pooling; the other head of each family takes as long again. RoBERTa
# stands here with the other head, and MiniLM is a BERT of another shape, as the released model is.
_SLOW_MEAN = {"electra", "distilbert", "minilm", "roberta"}
CASES = [
    pytest.param(family, pooling, id=f"{family}-{pooling}", marks=[pytest.mark.slow] if is_slow else [])
    for family in sorted(FAMILIES)
    for pooling, is_slow in (("mean", family in _SLOW_MEAN), ("first", family != "roberta"))
]


# Students of their encoders, so that "the teacher with fewer layers" is taken the whole way, too, and since an export
# takes as long as there are layers. BERT stands for whole encoders; ModernBERT has layers of two kinds.
_N_LAYERS = {"deberta-v3": 1, "minilm": 2, "modernbert": 3, "mpnet": 1, "roberta": 1, "xlm-roberta": 1}


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
def encoders(tmp_path_factory):
    """One tiny encoder of each family, made when it is asked for."""
    made: dict[str, FoundEncoder] = {}

    def get(family: str) -> FoundEncoder:
        if family not in made:
            made[family] = find_encoder(str(make_encoder(tmp_path_factory.mktemp("families") / family, family)))
        return made[family]

    return get


@pytest.fixture(scope="module")
def exports(tmp_path_factory) -> Path:
    """The fp32 graphs by family, of mean pooling, that runs have exported: an export takes seconds."""
    return tmp_path_factory.mktemp("exports")


@dataclass
class Made:
    config: TrainConfig
    checkpoint: Path
    folder: Path


@pytest.fixture
def make(write_run, tmp_path, exports, monkeypatch):
    """Train and export, as the command does."""

    def run(encoder: FoundEncoder, *, pooling: str, num_layers: int | None = None) -> Made:
        path = write_run(n_rows=16, n_dev=24, encoder__pooling=pooling, encoder__num_layers=num_layers)
        # The longest window that the family reads: a wrong offset of positions runs out of their table here.
        longest = f"window.max_tokens={encoder.max_positions}"
        config, taxonomy = load_config(path, overrides=[f"encoder.name={encoder.folder}", longest, "data.test=null"])
        encoder.check_fit(max_tokens=config.window.max_tokens, num_layers=num_layers)
        splits = load_splits(config.data, taxonomy, seed=config.seed)
        checkpoint = fit(config, taxonomy, splits, encoder, run_dir=tmp_path / "run", restart=False)

        def export_and_keep(model, path, **settings):
            graphs.export_graph(model, path, **settings)
            if pooling == "mean":
                shutil.copyfile(path, exports / f"{encoder.folder.name}.onnx")

        monkeypatch.setattr("training.export.export_graph", export_and_keep)
        export_checkpoint(checkpoint, config, taxonomy, splits, output=tmp_path / "model", overwrite=False)
        return Made(config, checkpoint, tmp_path / "model")

    return run


@pytest.mark.anyio
@pytest.mark.parametrize(("family", "pooling"), CASES)
async def test_a_family_is_trained_exported_and_served(family, pooling, encoders, make, starter_rows):
    encoder, num_layers = encoders(family), _N_LAYERS.get(family)
    made = make(encoder, pooling=pooling, num_layers=num_layers)
    manifest, _ = load_manifest(made.folder)
    named = f"{family} ({num_layers} of its {encoder.n_layers} layers)" if num_layers else family
    assert manifest.encoder.name == named
    assert f"Fine-tuned from {named}" in (made.folder / "README.md").read_text(encoding="utf-8")
    parity = json.loads((made.folder / "parity.json").read_text(encoding="utf-8"))
    assert parity["fp32"]["max_logit_change"] <= 1e-4
    assert parity["fp32"]["max_padding_change"] <= 1e-4
    assert parity["fp32"]["max_logit"] > 0.01, "a graph that answers zero would agree with anything"
    assert [candidate["recipe"] for candidate in parity["candidates"]] == ["fp32", "plain-int8"], parity["refused"]

    classifier = Classifier.load(made.folder, num_threads=1)
    texts = [str(row["text"]) for row in starter_rows["test"][:4]]
    texts.append(" ".join(texts))  # more than one window
    encoded = [classifier.encoder.encode(text) for text in texts]
    assert len(encoded[-1].windows) > 1
    model = load_checkpoint(made.checkpoint)
    with torch.no_grad():
        expected = [
            np.mean([model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0].numpy() for ids in windows], 0)
            for windows in ([torch.from_numpy(window)[None] for window in paragraph.windows] for paragraph in encoded)
        ]
    limit = 1e-4 if parity["kept"] == "fp32" else 0.5
    np.testing.assert_allclose(classifier.predict_logits(encoded), np.stack(expected), atol=limit)

    async with open_client(create_app(ServeSettings(model=str(made.folder)), classifier)) as client:
        response = await client.post("/v1/classify", json={"inputs": texts})
    assert response.json()["predictions"] == [prediction.to_dict() for prediction in classifier.classify(texts)]
    classifier.close()


RECIPES = ["plain-int8", "plain-int8-ffn", "fused-int8", "fused-int8-early"]
INT8 = {"MatMulInteger", "DynamicQuantizeLinear"}
FIRST = {"bert", "mpnet"}  # the rest of them holds the same products
LEAST_VOCABULARY = 390


def make_windows(seed=0):
    generator = np.random.default_rng(seed)
    return [
        generator.integers(5, LEAST_VOCABULARY, size=int(length))
        for length in (3, 61, 16, 33, 60, 7, 59, 15, 17, 62, 31)
    ]


@pytest.mark.parametrize(
    "family", [family if family in FIRST else pytest.param(family, marks=pytest.mark.slow) for family in FAMILIES]
)
def test_openvino_answers_as_the_graph_of_each_family_does(family, exports, encoders, taxonomy, tmp_path):
    skip_without_openvino()
    exported = exports / f"{family}.onnx"
    if not exported.is_file():  # run alone
        model = build_model(encoders(family), taxonomy, pooling="mean", num_layers=_N_LAYERS.get(family))
        graphs.export_graph(model.eval(), exported, opset=18)
    windows = make_windows()
    fp32 = OnnxSession(exported, num_threads=1).run_batch(windows)
    np.testing.assert_allclose(
        OpenVinoSession(exported, num_threads=1, precision="f32").run_batch(windows), fp32, atol=1e-4
    )
    for recipe in RECIPES:
        path = graphs.make_candidate(exported, tmp_path, recipe)
        model = onnx.load(str(path))
        tables = [
            tensor for tensor in model.graph.initializer if len(tensor.dims) == 2 and tensor.dims[0] >= LEAST_VOCABULARY
        ]
        assert [tensor.data_type for tensor in tables] == [onnx.TensorProto.UINT8], "embeddings are int8, too"
        assert make_weight_only(model) > 0
        assert not INT8 & {node.op_type for node in model.graph.node}
        onnx.save(model, str(tmp_path / "rewritten.onnx"))
        # The same float graph in both runtimes: what OpenVINO reads is what was meant.
        expected = OnnxSession(tmp_path / "rewritten.onnx", num_threads=1).run_batch(windows)
        found = OpenVinoSession(path, num_threads=1, precision="f32").run_batch(windows)
        np.testing.assert_allclose(found, expected, atol=1e-4, err_msg=recipe)
        # int8 activations against float ones: apart by rounding, and no farther from fp32 than int8 itself.
        dynamic = OnnxSession(path, num_threads=1).run_batch(windows)
        spread = float(np.abs(fp32).max())
        assert np.abs(found - dynamic).max() < 0.15 * spread, recipe
        assert np.abs(found - fp32).mean() <= 1.1 * np.abs(dynamic - fp32).mean(), recipe
        half = OpenVinoSession(path, num_threads=1).run_batch(windows)
        assert np.abs(half - found).max() < 0.05 * spread, recipe


@pytest.mark.parametrize("pooling", ["first", "mean"])
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_student_of_any_family_keeps_the_chosen_layers_and_comes_back_from_disk(
    family, pooling, encoders, taxonomy, tmp_path
):
    encoder = encoders(family)
    n_kept = encoder.n_layers - 1
    # ModernBERT's first layer is of another kind than the others, so it cannot be the one that is dropped.
    n_kept = max(n_kept, 2) if family == "modernbert" else n_kept
    torch.manual_seed(3)
    whole = build_model(encoder, taxonomy, pooling=pooling).eval()
    short = build_model(encoder, taxonomy, pooling=pooling, num_layers=n_kept).eval()
    of_whole, of_short = _layers(whole), _layers(short)
    assert len(of_short) == n_kept
    for place, number in enumerate(choose_layers(encoder.n_layers, n_kept)):
        before, after = of_whole[number].state_dict(), of_short[place].state_dict()
        assert before.keys() == after.keys()
        assert all(torch.equal(before[name], after[name]) for name in before)

    if family != "modernbert":
        named = _layers(build_model(encoder, taxonomy, pooling=pooling, num_layers=1, layers=[0]))[0].state_dict()
        assert all(torch.equal(of_whole[0].state_dict()[name], weights) for name, weights in named.items())

    short.save_pretrained(tmp_path / "short")
    back = load_checkpoint(tmp_path / "short")
    ids = torch.randint(5, 300, (2, 20), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    with torch.no_grad():
        expected = short(input_ids=ids, attention_mask=mask).logits
        torch.testing.assert_close(back(input_ids=ids, attention_mask=mask).logits, expected)
        assert not torch.allclose(whole(input_ids=ids, attention_mask=mask).logits, expected, atol=1e-3)


def _layers(model):
    found = [m for name, m in model.named_modules() if name.split(".")[-1] in {"layer", "layers"} and len(m)]
    return next(m for m in found if isinstance(m, torch.nn.ModuleList))


@pytest.mark.parametrize("pooling", ["first", "mean"])
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_attention_dropout_of_any_family_can_be_set_and_changes_nothing_else(family, pooling, encoders, taxonomy):
    torch.manual_seed(3)
    model = build_model(encoders(family), taxonomy, pooling=pooling)
    ids = torch.randint(5, 300, (2, 20), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    with torch.no_grad():
        expected = model.eval()(input_ids=ids, attention_mask=mask).logits

    def train_once(changed):
        torch.manual_seed(7)
        with torch.no_grad():
            return changed.train()(input_ids=ids, attention_mask=mask).logits

    off = set_attention_dropout(model, 0.0)
    inner = getattr(off.config, "encoder", off.config)
    assert {getattr(inner, name, 0.0) for name in ("attention_probs_dropout_prob", "attention_dropout")} == {0.0}
    with torch.no_grad():
        torch.testing.assert_close(off.eval()(input_ids=ids, attention_mask=mask).logits, expected)
    without = train_once(off)
    assert torch.equal(without, train_once(off))
    assert not torch.allclose(without, train_once(set_attention_dropout(off, 0.9)), atol=1e-3)


def test_a_student_can_begin_from_a_fine_tuned_teacher(encoders, taxonomy, tmp_path):
    torch.manual_seed(5)
    teacher = build_model(encoders("bert"), taxonomy, pooling="mean")
    torch.nn.init.normal_(teacher.encoder.embeddings.word_embeddings.weight)  # as fine-tuning would change it
    teacher.save_pretrained(tmp_path / "teacher")
    found = find_encoder(str(tmp_path / "teacher"))
    assert (found.n_layers, found.max_positions) == (2, 80)
    student = build_model(found, taxonomy, pooling="mean", num_layers=1)
    assert torch.equal(
        student.encoder.embeddings.word_embeddings.weight, teacher.encoder.embeddings.word_embeddings.weight
    )
    with pytest.raises(EncoderError):
        build_model(found, taxonomy, pooling="first")


def test_layers_are_even_and_the_last_is_among_them():
    assert choose_layers(12, 6) == [0, 2, 4, 7, 9, 11]
    assert choose_layers(6, 3) == [0, 3, 5]
    for n_layers in (2, 6, 12, 22):
        for n_kept in range(1, n_layers + 1):
            kept = choose_layers(n_layers, n_kept)
            assert len(set(kept)) == n_kept
            assert kept == sorted(kept)
            assert kept[-1] == n_layers - 1
            gaps = np.diff(kept)
            assert not len(gaps) or gaps.max() - gaps.min() <= 1


def test_layers_that_an_encoder_does_not_have_are_refused(encoders):
    with pytest.raises(ConfigError) as caught:
        encoders("bert").check_fit(max_tokens=81, num_layers=3)
    assert len(caught.value.faults) == 2
    with pytest.raises(ConfigError, match=r"names layer 2; the encoder .* has 2, numbered from 0"):
        encoders("bert").check_fit(max_tokens=80, num_layers=2, layers=[0, 2])


def test_a_layer_of_another_kind_cannot_take_the_first_place(encoders, taxonomy):
    with pytest.raises(EncoderError):
        build_model(encoders("modernbert"), taxonomy, pooling="mean", num_layers=1)


@pytest.mark.parametrize("family", ["roberta", "xlm-roberta", "mpnet"])
def test_positions_that_a_family_reserves_are_not_counted(family, encoders, taxonomy):
    encoder = encoders(family)
    assert encoder.max_positions == 78  # of a table of 80
    model = build_model(encoder, taxonomy, pooling="mean").eval()
    for length, is_read in ((78, True), (79, False)):
        ids = torch.full((1, length), 7)
        if is_read:
            assert model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.isfinite().all()
            continue
        with pytest.raises((IndexError, RuntimeError)):
            model(input_ids=ids, attention_mask=torch.ones_like(ids))


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_family_s_own_tokenizer_frames_every_window(family, encoders, starter_rows):
    config, _ = load_config("minilm", overrides=["window.max_tokens=20", "window.overlap_tokens=4"])
    tokenizer = encoders(family).read_tokenizer()
    encoder = ParagraphEncoder(tokenizer, config.window)
    text = str(starter_rows["test"][0]["text"])
    encoded = encoder.encode(text)
    assert len(encoded.windows) > 1
    first, last = tokenizer.encode("a", add_special_tokens=True).ids[0], tokenizer.encode("a").ids[-1]
    for window in encoded.windows:
        assert (window[0], window[-1]) == (first, last)
        assert len(window) <= 20
