import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from evaluation.agreement.commands import agreement
from serving.corrections.address import read_address
from serving.corrections.commands import corrections as command
from serving.corrections.exports import make_row
from serving.corrections.store import Store
from serving.corrections.table import CORRECTIONS
from serving.protocols.label_config import read_controls
from tests.serving.corrections import ANSWER, FULL, LABELS, database, postgres_url  # noqa: F401 - fixtures
from tests.support.rows import load_examples
from twohands.errors import (
    ConfigError,
    CorrectionNotFoundError,
    CorrectionsUnavailableError,
    FileWriteError,
    RunConflictError,
)
from twohands.taxonomy import RESERVED_NAMES


@pytest.fixture
def invoke(database):  # noqa: F811
    def invoke(*arguments, **options):
        runner = CliRunner(env={"TWOHANDS_SERVE_CORRECTIONS": database, "COLUMNS": "80"})
        return runner.invoke(command, arguments, **options)

    return invoke


@pytest.fixture
def kept(database):  # noqa: F811
    store = Store(read_address(database))
    texts = ["Sell the depots.", "The ministry buys \x1b[31mthe mills.", "Rain is expected. " * 20]
    saved = [store.add(**FULL | {"text": text, "model": None}) for text in texts]
    store.close()
    return saved


def test_reviewed_on_the_command_line_and_read_as_training_rows(invoke, kept, taxonomy, tmp_path):
    assert invoke("accept", kept[0].id, kept[1].id).exit_code == 0
    assert invoke("reject", "--all-pending").exit_code == 0
    output = tmp_path / "rows.jsonl"
    done = invoke("export", "--output", str(output))
    assert done.exit_code == 0, done.output
    examples = load_examples([output], taxonomy)
    assert [each.id for each in examples] == [kept[0].id, kept[1].id]
    assert examples[0].labels == {"stance": ("market-led",), "topics": ("regulation",)}
    printed = invoke("export").stdout_bytes
    assert printed == output.read_bytes()
    assert len(invoke("export", "--status", "all").stdout.strip().split("\n")) == 3


def test_label_studio_tasks_fit_the_exported_config(invoke, kept, taxonomy, tiny_model):
    (first, *_) = json.loads(invoke("export", "--format", "label-studio", "--status", "all").stdout)
    config = invoke("export", "--format", "label-studio-config", "--model", str(tiny_model)).stdout
    names = {control.name for control in read_controls(config, taxonomy)}
    assert {region["from_name"] for region in first["annotations"][0]["result"]} == names == set(LABELS)
    assert first["data"]["id"] == kept[0].id
    assert first["predictions"][0]["model_version"] == "unknown"  # the reader's page did not say which


@pytest.mark.issue(4)
def test_no_head_can_be_called_like_a_column_of_an_exported_row(kept):
    row = make_row(kept[0])
    assert row.keys() - kept[0].labels.keys() <= RESERVED_NAMES
    assert "confidence" in row


@pytest.mark.issue(4)
def test_a_config_of_other_labels_than_the_corrections_is_not_written_in_silence(
    invoke,
    database,  # noqa: F811
    tiny_model,
    tmp_path,
):
    config = ("export", "--format", "label-studio-config")
    assert "state-led" in invoke(*config).stdout  # nothing is kept yet
    store = Store(read_address(database))
    store.add(**FULL | {"labels": {"outcome": "granted", "stance": "both"}, "model": None, "prediction": None})
    store.close()
    output = tmp_path / "config.xml"
    refused = invoke(*config, "--output", str(output))
    assert isinstance(refused.exception, ConfigError)
    assert [fault.split(" is none of ")[0] for fault in refused.exception.faults] == ["head 'outcome'", "stance 'both'"]
    assert "--model" in str(refused.exception)
    assert not output.exists()
    chosen = invoke(*config, "--model", str(tiny_model))
    assert "state-led" in chosen.stdout
    assert "head 'outcome' is none of stance, topics" in chosen.stderr
    assert invoke(*config, "--database", "off").exit_code == 0


@pytest.mark.issue(4)
def test_a_config_of_a_chosen_model_needs_no_database(invoke, tiny_model, tmp_path):
    (tmp_path / "other.sqlite3").write_bytes(b"no database" * 100)
    away = ("export", "--format", "label-studio-config", "--database", f"sqlite:///{tmp_path}/other.sqlite3")
    done = invoke(*away, "--model", str(tiny_model))
    assert (done.exit_code, done.stderr.count("\n")) == (0, 1), done.stderr
    assert "state-led" in done.stdout
    assert "not known" in done.stderr
    assert isinstance(invoke(*away).exception, CorrectionsUnavailableError)
    output = tmp_path / "config.xml"
    wrong = invoke(*away[:-1], "mysql://x", "--model", str(tiny_model), "--output", str(output))
    assert isinstance(wrong.exception, ConfigError)
    assert not output.exists()


def test_list_and_show_say_what_is_kept_and_steer_no_terminal(invoke, kept):
    listed = invoke("list", "--limit", "2")
    assert [line.split()[0] for line in listed.stdout.split("\n") if line[:1].strip()] == [kept[2].id, kept[1].id]
    assert "2 of 3" in listed.stderr
    assert "\x1b" not in listed.output
    assert max(len(line) for line in listed.output.splitlines()) <= 80
    shown = invoke("show", kept[1].id)
    for words in (kept[1].id, "pending", "stance=market-led topics=regulation", "stance=state-led", "doc-1", "市场"):
        assert words in shown.stdout
    assert "\x1b" not in shown.stdout
    whole = json.loads(invoke("show", kept[1].id, "--json").stdout)
    assert (whole["prediction"], whole["text"]) == (ANSWER, kept[1].text)
    lines = invoke("list", "--json", "--status", "pending").stdout.strip().split("\n")
    assert [json.loads(line)["id"] for line in lines] == [each.id for each in reversed(kept)]
    assert invoke("list", "--status", "accepted").stdout == ""


def test_purge_asks_first_and_takes_only_what_was_named(invoke, kept):
    assert invoke("purge").exit_code == 2
    assert invoke("purge", "--all", "--status", "pending").exit_code == 2
    assert invoke("purge", "--older-than", "3").exit_code == 2
    refused = invoke("purge", "--all", input="n\n")
    assert (refused.exit_code, "Delete 3 corrections" in refused.output) == (1, True)
    assert "3 of 3" in invoke("list").stderr
    assert invoke("purge", "--older-than", "1h", "--yes").stderr == "deleted 0 corrections\n"
    invoke("reject", kept[0].id)
    assert invoke("purge", "--status", "rejected", input="y\n").exit_code == 0
    assert "2 of 2" in invoke("list").stderr
    assert invoke("purge", "--all", "--yes").stderr == "deleted 2 corrections\n"
    assert "0 of 0" in invoke("list").stderr


def test_purge_by_age_takes_what_is_older(invoke, kept, database):  # noqa: F811
    store = Store(read_address(database))
    with store._writing() as connection:
        old = CORRECTIONS.update().where(CORRECTIONS.c.id == kept[0].id)
        connection.execute(old.values(created=datetime.now(UTC) - timedelta(days=91)))
    store.close()
    assert invoke("purge", "--older-than", "14w", "--yes").stderr == "deleted 0 corrections\n"
    assert invoke("purge", "--older-than", "2180h", "--status", "rejected", "--yes").stderr == "deleted 0 corrections\n"
    assert invoke("purge", "--older-than", "90d", "--yes").stderr == "deleted 1 correction\n"
    assert kept[0].id not in invoke("list").stdout


def test_unknown_ids_change_nothing(invoke, kept):
    done = invoke("accept", kept[0].id, "nothing")
    assert isinstance(done.exception, CorrectionNotFoundError)
    assert "'nothing'" in str(done.exception)
    assert invoke("export").stdout == ""
    assert isinstance(invoke("show", "nothing").exception, CorrectionNotFoundError)
    assert invoke("accept").exit_code == 2
    assert invoke("accept", kept[0].id, "--all-pending").exit_code == 2


def test_migrate_makes_the_table_once_and_nothing_else_makes_a_file(invoke, database, tmp_path):  # noqa: F811
    is_absent = database.startswith("sqlite")
    for arguments in (["list"], ["export"], ["accept", "--all-pending"], ["purge", "--all", "--yes"]):
        assert invoke(*arguments).exit_code == int(is_absent)
    if is_absent:
        assert not (tmp_path / "kept").exists()
    first, second = invoke("migrate").stdout, invoke("migrate").stdout
    assert "already" not in first or not database.startswith("sqlite")
    assert "already" in second


def test_what_cannot_be_used_is_told_with_its_reason_and_without_its_password(tmp_path):
    def run(setting, *arguments):
        return CliRunner().invoke(command, [*arguments, "--database", setting]).exception

    (tmp_path / "file").write_text("")
    blocked = run(f"sqlite:///{tmp_path}/file/c.sqlite3", "migrate")
    assert isinstance(blocked, CorrectionsUnavailableError)
    assert str(tmp_path) in str(blocked)
    for setting in ("off", "mysql://u:word@h/d"):
        refused = run(setting, "list")
        assert isinstance(refused, ConfigError)
        assert "u:word" not in str(refused)
    pytest.importorskip("psycopg")
    unreachable = run("postgresql://u:pass-word@127.0.0.1:1/d", "list")
    assert isinstance(unreachable, CorrectionsUnavailableError)
    assert "127.0.0.1:1/d" in str(unreachable)
    assert "pass-word" not in str(unreachable)


def test_an_output_that_cannot_be_written_leaves_nothing_behind(invoke, kept, tmp_path):
    assert len(kept) == 3
    assert isinstance(invoke("export", "--output", str(tmp_path / "no" / "rows.jsonl")).exception, FileWriteError)
    before = sorted(tmp_path.iterdir())
    (tmp_path / "taken").mkdir()
    assert invoke("export", "--output", str(tmp_path / "taken")).exit_code == 2
    (tmp_path / "taken").rmdir()
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.issue(5)
def test_a_database_that_does_not_exist_is_told_of_and_costs_no_export(invoke, kept, tmp_path):
    output, absent = tmp_path / "rows.jsonl", tmp_path / "typo.sqlite3"
    assert invoke("export", "--status", "all", "--output", str(output)).exit_code == 0
    held = output.read_bytes()
    assert held.count(b"\n") == len(kept)
    for arguments in (
        ("export", "--output", str(output), "--overwrite"),
        ("list",),
        ("show", kept[0].id),
        ("reject", "--all-pending"),
        ("purge", "--all", "--yes"),
    ):
        refused = invoke(*arguments, "--database", f"sqlite:///{absent}")
        assert isinstance(refused.exception, CorrectionsUnavailableError)
        assert str(absent) in str(refused.exception)
    config = ("export", "--format", "label-studio-config", "--database", f"sqlite:///{absent}")
    assert str(absent) in invoke(*config).stderr
    assert not absent.exists()
    assert output.read_bytes() == held


@pytest.mark.issue(5)
@pytest.mark.parametrize("options", [(), ("--format", "label-studio-config")])
def test_an_export_replaces_a_file_only_where_asked(invoke, kept, tmp_path, options):
    output = tmp_path / "rows.jsonl"
    output.write_text("mine")
    refused = invoke("export", *options, "--output", str(output))
    assert isinstance(refused.exception, RunConflictError)
    assert "--overwrite" in str(refused.exception)
    assert output.read_text() == "mine"
    done = invoke("export", *options, "--status", "all", "--output", str(output), "--overwrite")
    assert done.exit_code == 0, done.output
    assert options or kept[0].id in output.read_text()


@pytest.mark.issue(6)
def test_rows_say_who_set_their_labels_and_readers_are_set_beside_one_another(invoke, database, tmp_path):  # noqa: F811
    store = Store(read_address(database))
    blank = dict.fromkeys(("confidence", "note", "source", "group", "prediction", "model"))
    for number in range(12):
        shared = blank | {"text": f"Sell depot {number}.", "group": f"g{number}"}
        ann = store.add(**shared, labels={"stance": "market-led"}, key_id="ann1")
        bob = store.add(**shared, labels={"stance": "market-led" if number % 4 else "neutral"}, key_id="bob2")
    store.change(ann.id, {"labels": {"stance": "state-led"}}, key_id="eve3")
    assert store.get(ann.id).annotator == "eve3"
    assert store.get(bob.id).annotator == "bob2"
    store.set_status([ann.id], "accepted")  # on the command line, by nobody's key
    store.change(bob.id, {"status": "accepted", "note": "Read again."}, key_id="eve3")
    assert (store.get(ann.id).annotator, store.get(bob.id).annotator) == ("eve3", "bob2")
    store.add(**blank, text="Rain.", labels={"stance": "neutral"})
    store.close()
    assert "stance=state-led; set with key eve3" in invoke("show", ann.id).stdout
    rows = [json.loads(line) for line in invoke("export", "--status", "all").stdout.splitlines()]
    assert [row.get("annotator") for row in rows] == ["bob2"] * 11 + ["eve3", None]  # eve's labels were set last
    codes = tmp_path / "codes.jsonl"
    exported = invoke("export", "--status", "all", "--by-reader", "--output", str(codes))
    assert exported.exit_code == 0
    assert "left out 1, of which nobody knows who set the labels" in exported.stderr
    rows = [json.loads(line) for line in codes.read_text(encoding="utf-8").splitlines()]
    assert [row["annotator"] for row in rows] == ["ann1", "bob2"] * 11 + ["eve3", "bob2"]
    told = CliRunner().invoke(agreement, ["--data", str(codes), "--item", "text", "--no-model", "--json"])
    assert told.exit_code == 0, told.output
    assert '"n_annotators": 3' in told.stdout
    task = json.loads(invoke("export", "--format", "label-studio", "--status", "all").stdout)[0]
    assert task["meta"]["annotator"] == "bob2"
    assert invoke("export", "--format", "label-studio-config", "--by-reader").exit_code == 2


@pytest.mark.issue(6)
def test_a_reader_who_changes_anothers_labels_takes_nobodys_place(invoke, database):  # noqa: F811
    store = Store(read_address(database))
    shared = dict.fromkeys(("confidence", "note", "source", "group", "prediction", "model")) | {"text": "Sell it."}
    store.add(**shared, labels={"stance": "market-led"}, key_id="ann1")
    again = store.add(**shared, labels={"stance": "neutral"}, key_id="ann1")
    store.add(**shared, labels={"stance": "neutral"}, key_id="bob2")
    store.change(again.id, {"labels": {"stance": "state-led"}}, key_id="bob2")  # set last, by bob
    store.close()
    rows = [json.loads(line) for line in invoke("export", "--status", "all", "--by-reader").stdout.splitlines()]
    assert [(row["annotator"], row["stance"]) for row in rows] == [("ann1", "market-led"), ("bob2", "state-led")]
    assert make_row(again)["annotator"] == "ann1"
    of_older_model = again.model_copy(update={"labels": {"annotator": "expert"}})
    assert make_row(of_older_model)["annotator"] == "expert"
