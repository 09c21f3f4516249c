"""The folder of a checkpoint that no run makes: links are kept, and nothing is lost to a kill."""

import pytest

from training.checkpoints import NETWORK_NAME, build_checkpoint, check_output
from training.encodercache import WEIGHTS_NAME
from training.encoders import RUN_NAME
from training.loop import CHECKPOINT
from twohands.errors import RunConflictError

pytestmark = pytest.mark.issue(3)


@pytest.fixture
def checkpoint(tmp_path):
    folder = tmp_path / "disk" / "mine"
    folder.mkdir(parents=True)
    for name in (RUN_NAME, NETWORK_NAME, WEIGHTS_NAME):
        (folder / name).write_text("old")
    return folder


def test_of_a_link_what_it_points_to_is_replaced(checkpoint, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(checkpoint, target_is_directory=True)
    check_output(link, overwrite=True)
    with build_checkpoint(link) as held:
        (held / CHECKPOINT).mkdir()
        (held / CHECKPOINT / RUN_NAME).write_text("new")
    assert link.is_symlink()
    assert [path.name for path in checkpoint.iterdir()] == [RUN_NAME]
    assert (checkpoint / RUN_NAME).read_text() == "new"
    assert set(tmp_path.iterdir()) == {checkpoint.parent, link}
    assert list(checkpoint.parent.iterdir()) == [checkpoint]


def test_what_a_killed_run_was_replacing_is_put_back_before_it_is_asked_for(checkpoint):
    checkpoint.rename(checkpoint.with_name(".mine-x.partial-old"))
    with pytest.raises(RunConflictError, match="already exists"):
        check_output(checkpoint, overwrite=False)
    assert (checkpoint / RUN_NAME).read_text() == "old"
