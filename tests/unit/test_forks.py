"""A classifier is of use in other processes: forked ones load its graph anew, unpickling loads its folder."""

import copy
import os
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tests.support.runtimes import skip_without_openvino
from twohands import Classifier
from twohands.errors import ManifestError
from twohands.manifest import load_manifest, write_manifest

TEXTS = ["plan of plan", "the market"]

# In a process of its own, since Python from 3.12 on warns of a fork where there are threads.
FORK = """
import os, signal, sys
import twohands.openvino_session, twohands.session
for room in (twohands.session, twohands.openvino_session):
    room.count_threads = lambda requested: requested or 2
from twohands import Classifier
from twohands.errors import FileReadError
from twohands.misuse import ForkError

model, runtime, does = sys.argv[1:]
classifier = Classifier.load(model, num_threads=2, runtime=runtime)
texts = ["plan of plan", "the market"]
ours = classifier.classify(texts)
classifier.classify(texts[:1])  # on all threads
if does == "refused" and runtime == "onnxruntime":
    graph = os.path.join(model, "model.onnx")
    content = open(graph, "rb").read()
    os.unlink(graph)
    open(graph, "wb").write(content + b" ")
pid = os.fork()
if pid == 0:
    signal.alarm(30)  # what hung ends
    if does == "refused":
        try:
            classifier.classify(texts)
        except (FileReadError, ForkError):
            sys.exit(0)
        sys.exit(3)
    if does != "leaves":
        assert classifier.classify(texts[:1]) == ours[:1]
        assert classifier.classify(texts) == ours
    if does == "closes":
        classifier.close()
    sys.exit(0)
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
assert does == "refused" or classifier.classify(texts) == ours
sys.exit(status)
"""

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def fork(model, runtime, does):
    command = [sys.executable, "-W", "ignore", "-c", FORK, str(model), runtime, does]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.issue(2)
@needs_fork
@pytest.mark.parametrize("does", ["leaves", "classifies", "closes"])
def test_a_forked_child_answers_and_ends(tiny_model, does):
    done = fork(tiny_model, "onnxruntime", does)
    assert (done.returncode, done.stderr) == (0, "")


@needs_fork
def test_a_forked_child_refuses_another_graph_in_the_place_of_the_verified_one(tiny_model, tmp_path):
    done = fork(shutil.copytree(tiny_model, tmp_path / "model"), "onnxruntime", "refused")
    assert (done.returncode, done.stderr) == (0, "")


@needs_fork
def test_a_forked_child_is_refused_by_openvino_and_ends(tiny_model):
    skip_without_openvino()
    done = fork(tiny_model, "openvino", "refused")
    assert (done.returncode, done.stderr) == (0, "")


def classify_there(classifier):
    return classifier.classify(TEXTS)


@pytest.mark.issue(2)
def test_pickling_loads_the_folder_anew(tiny_model):
    with Classifier.load(tiny_model, num_threads=1) as classifier:
        expected = classifier.classify(TEXTS)
        for twin in (pickle.loads(pickle.dumps(classifier)), copy.deepcopy(classifier)):  # noqa: S301 - its own bytes
            with twin:
                assert twin.identity == classifier.identity
                assert twin.session.num_threads == 1
                assert twin.classify(TEXTS) == expected
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            assert pool.submit(classify_there, classifier).result(timeout=200) == expected


def test_what_was_pickled_is_not_exchanged_for_another_model(tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    with Classifier.load(folder, num_threads=1) as classifier:
        held = pickle.dumps(classifier)
        bare = Classifier(classifier.manifest, classifier.sha256, classifier.encoder, classifier.session)
        with pytest.raises(TypeError):
            pickle.dumps(bare)
    write_manifest(folder, load_manifest(folder)[0].model_copy(update={"version": "9.9.9"}))
    with pytest.raises(ManifestError):
        pickle.loads(held)  # noqa: S301 - its own bytes
