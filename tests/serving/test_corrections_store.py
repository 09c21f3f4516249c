import multiprocessing
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import threading
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from serving.corrections import clashes
from serving.corrections import database as database_module
from serving.corrections import store as store_module
from serving.corrections.address import check_address, find_default_path, read_address
from serving.corrections.database import HEAD, migrate, open_engine
from serving.corrections.ids import make_id
from serving.corrections.store import Store
from serving.corrections.table import CORRECTIONS, METADATA
from tests.conftest import ROOT
from tests.serving.corrections import database, postgres_url  # noqa: F401 - fixtures
from tests.serving.saving import add, save_many
from twohands.errors import CorrectionNotFoundError, CorrectionsUnavailableError

SECRET = "Xylophone words that a reader wants gone"
N_PROCESSES, N_THREADS, N_EACH = 2, 4, 25


@pytest.fixture
def store(database):  # noqa: F811
    store = Store(read_address(database))
    yield store
    store.close()


@pytest.fixture
def file_store(tmp_path):
    store = Store(read_address(f"sqlite:///{tmp_path}/corrections.sqlite3"))
    yield store
    store.close()


def test_processes_and_threads_that_begin_together_lose_nothing(database, store):  # noqa: F811
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(N_PROCESSES)
    processes = [
        context.Process(target=save_many, args=(database, name, N_THREADS, N_EACH, barrier))
        for name in ("first", "second")
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * N_PROCESSES
    expected = {f"{n} {t} {i}" for n in ("first", "second") for t in range(N_THREADS) for i in range(N_EACH)}
    assert sorted(each.text for each in store.iterate_latest(status=None)) == sorted(expected)
    assert store.count() == N_PROCESSES * N_THREADS * N_EACH


def test_many_stores_that_migrate_at_once_do_it_once(database, monkeypatch):  # noqa: F811
    n_upgrades, real = [], database_module._upgrade

    def count(connection):
        if database_module.read_revision(connection) is None:
            n_upgrades.append(1)
        real(connection)

    monkeypatch.setattr(database_module, "_upgrade", count)
    stores = [Store(read_address(database)) for _ in range(8)]
    failures = []

    def prepare(store):
        try:
            store.prepare()
        except CorrectionsUnavailableError as error:
            failures.append(error.reason)

    threads = [threading.Thread(target=prepare, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for store in stores:
        store.close()
    assert failures == []
    assert len(n_upgrades) == 1


def test_reading_goes_on_while_somebody_writes(store):
    add(store, "before")
    with store._writing() as connection:
        connection.execute(sa.text("UPDATE corrections SET status = 'rejected'"))
        assert store.count(status="pending") == 1  # what was there before the other has committed
    assert store.count(status="pending") == 0


def test_an_export_is_of_one_moment(store):
    for number in range(6):
        add(store, f"plan {number}")
    seen = []
    for each in store.iterate_latest(status=None, n_at_once=2):
        seen.append(each.text)
        if len(seen) == 2:
            add(store, "plan 0", note="later")
    assert seen == [f"plan {number}" for number in range(6)]
    assert [each.note for each in store.iterate_latest(status=None)] == [None] * 5 + ["later"]


def test_the_latest_among_the_chosen_wins(store):
    first, second = add(store, "plan"), add(store, " plan ")
    store.set_status([first.id], "accepted")
    assert [each.id for each in store.iterate_latest(status="accepted")] == [first.id]
    store.set_status([second.id], "accepted")
    assert [each.id for each in store.iterate_latest(status="accepted")] == [second.id]
    store.set_status([first.id], "rejected")
    store.set_status([first.id], "accepted")  # looked at last, but its labels are the older ones
    assert [each.id for each in store.iterate_latest(status="accepted")] == [second.id]
    store.change(first.id, {"labels": {"stance": "market-led", "topics": None}})
    assert [each.id for each in store.iterate_latest(status="accepted")] == [first.id]


def test_all_or_none_are_decided(store):
    kept = [add(store, f"plan {number}").id for number in range(3)]
    assert store.set_status([kept[0], make_id()], "accepted") != []
    assert store.count(status="accepted") == 0
    assert store.set_status(kept[:2], "rejected") == []
    assert store.decide_pending("accepted") == 1
    assert (store.count(status="rejected"), store.count(status="accepted")) == (2, 1)


def test_purge_by_status_and_age(store):
    kept = [add(store, f"plan {number}").id for number in range(4)]
    store.set_status(kept[:2], "rejected")
    assert store.purge(before=datetime.now(UTC) - timedelta(hours=1)) == 0
    assert store.purge(status="rejected", before=datetime.now(UTC) + timedelta(seconds=1)) == 2
    assert [each.id for each in store.iterate_latest(status=None)] == kept[2:]
    assert store.purge() == 2
    assert store.count() == 0


def test_a_purge_leaves_nothing_of_the_text_in_the_file_or_its_log(file_store, tmp_path):
    add(file_store, SECRET, note=SECRET)
    for number in range(50):
        add(file_store, f"other {number}")
    assert find_in_files(tmp_path, SECRET) != []
    file_store.set_status([file_store.list_page(status=None, limit=100, after=None)[0][-1].id], "rejected")
    assert file_store.purge(status="rejected") == 1
    assert find_in_files(tmp_path, SECRET) == []
    assert file_store.count() == 50


def find_in_files(folder, secret):
    return [path.name for path in folder.iterdir() if secret.encode() in path.read_bytes()]


def test_a_purge_says_when_a_reader_keeps_the_text_in_the_log(file_store, tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "PURGE_TIMEOUT_S", 0.3)
    add(file_store, SECRET)
    add(file_store, "plan")
    export = file_store.iterate_latest(status=None, n_at_once=1)
    next(export)
    with pytest.raises(CorrectionsUnavailableError):
        file_store.purge()
    assert find_in_files(tmp_path, SECRET) != []
    add(file_store, "somebody writes meanwhile")
    export.close()
    assert file_store.purge() == 1
    assert find_in_files(tmp_path, SECRET) == []


def test_a_deleted_text_is_gone_from_the_files_too_at_once_or_when_the_last_reader_is_done(file_store, tmp_path):
    file_store.delete(add(file_store, SECRET).id)
    assert find_in_files(tmp_path, SECRET) == []
    kept = [add(file_store, text) for text in (SECRET, "plan", "market")]
    export = file_store.iterate_latest(status=None, n_at_once=1)
    next(export)
    file_store.delete(kept[0].id)  # does not wait for it
    assert [each.text for each in export] == ["plan", "market"]
    assert find_in_files(tmp_path, SECRET) == []


@pytest.mark.issue(5)
def test_what_was_saved_is_on_the_disk_before_it_is_answered(tmp_path):
    with open_engine(read_address(f"sqlite:///{tmp_path}/corrections.sqlite3")).connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2, "FULL: the log is synced at each commit"


@pytest.mark.issue(5)
@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="needs the command sqlite3")
def test_the_backup_that_the_guide_shows_has_what_stands_in_the_log_alone(file_store, tmp_path):
    add(file_store)
    assert (tmp_path / "corrections.sqlite3-wal").stat().st_size > 0
    guide = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"`(sqlite3 corrections\.sqlite3 [^`]+)`", guide)
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    with sqlite3.connect(tmp_path / "copy.sqlite3") as connection:
        assert connection.execute("SELECT count(*) FROM corrections").fetchone() == (1,)
    connection.close()


@pytest.mark.issue(5)
@pytest.mark.parametrize("is_replaced", [False, True])
def test_nothing_is_saved_into_a_file_that_was_removed_or_replaced(file_store, tmp_path, is_replaced):
    add(file_store)
    path, aside = tmp_path / "corrections.sqlite3", tmp_path / "aside.sqlite3"
    path.rename(aside)
    if is_replaced:
        shutil.copy(aside, path)
    for act in (lambda: add(file_store), file_store.count):
        with pytest.raises(CorrectionsUnavailableError) as raised:
            act()
        assert "removed or replaced" in raised.value.reason
    assert path.exists() == is_replaced
    aside.rename(path)
    add(file_store)
    assert file_store.count() == 2


def test_the_file_is_its_owners_alone_and_in_wal_mode(tmp_path):
    path = tmp_path / "deep" / "er" / "corrections.sqlite3"
    old = os.umask(0)
    try:
        store = Store(read_address(f"sqlite:///{path}"))
        add(store)
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    finally:
        os.umask(old)
    assert modes == dict.fromkeys(modes, 0o600)
    assert path.name + "-wal" in modes
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    store.close()


def test_revisions_lead_to_the_table_that_the_code_uses(database):  # noqa: F811
    folder = Path(database_module.__file__).parent / "migrations"
    config = Config()
    config.set_main_option("script_location", str(folder))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]
    engine = open_engine(read_address(database))
    assert migrate(engine) == (None, HEAD)
    assert migrate(engine) == (HEAD, HEAD)
    with engine.connect() as connection:
        options = {"compare_type": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), METADATA) == []
    engine.dispose()


def test_who_set_the_labels_is_taken_over_from_before_it_was_kept(database):  # noqa: F811
    store = Store(read_address(database))
    saved, relabelled, accepted = (add(store, text, key_id="ann1") for text in ("One.", "Two.", "Three."))
    store.change(relabelled.id, {"labels": {"stance": "neutral"}}, key_id="bob2")
    store.change(accepted.id, {"labels": {"stance": "neutral"}}, key_id="bob2")
    store.change(accepted.id, {"status": "accepted"}, key_id="eve3")
    with store._writing() as connection:  # as v0001 left it
        for column in ("labelled_by", "attributed"):
            connection.execute(sa.text(f"ALTER TABLE corrections DROP COLUMN {column}"))
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'v0001'"))
    store.close()
    again = Store(store.address)
    assert [again.get(each.id).annotator for each in (saved, relabelled, accepted)] == ["ann1", "bob2", None]
    again.change(accepted.id, {"labels": {"stance": "market-led"}}, key_id="bob2")
    again.change(accepted.id, {"status": "rejected"}, key_id="eve3")
    assert again.get(accepted.id).annotator == "bob2"
    again.close()


def test_labels_that_a_service_of_the_version_before_sets_are_not_those_of_who_set_the_ones_before(store):
    def change(kept, key_id, *columns):  # as 0.12.0 does, which goes on while the database is moved
        now = datetime.now(UTC)
        values = {"updated": now, "updated_by": key_id, **dict.fromkeys(columns, now)}
        with store._writing() as connection:
            connection.execute(CORRECTIONS.update().where(CORRECTIONS.c.id == kept.id).values(values))

    relabelled, accepted = (add(store, text, key_id="ann1") for text in ("One.", "Two."))
    change(accepted, "eve3")
    change(relabelled, "bob2", "labelled")
    assert [store.get(each.id).annotator for each in (relabelled, accepted)] == ["bob2", "ann1"]
    change(relabelled, "eve3")
    assert store.get(relabelled.id).annotator is None  # and not ann1
    assert [each.annotator for each in store.iterate_latest(status=None, by_reader=True)] == [None, "ann1"]


def test_a_database_of_a_later_version_is_refused_unchanged(store):
    add(store)
    with store._writing() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'v9999'"))
    late = Store(store.address)
    with pytest.raises(CorrectionsUnavailableError) as failure:
        late.count()
    assert "v9999" in failure.value.reason
    late.close()
    with store._reading() as connection:
        assert connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar() == "v9999"


def test_a_failed_migration_leaves_nothing_behind(store, monkeypatch):
    def fail(connection):
        connection.execute(sa.text("CREATE TABLE half_made (id INTEGER)"))
        raise sa.exc.OperationalError("CREATE", {}, Exception("the disk is full"))

    with monkeypatch.context() as patched:
        patched.setattr(database_module, "_upgrade", fail)
        with pytest.raises(CorrectionsUnavailableError) as failure:
            add(store)
        assert "the disk is full" in failure.value.reason
    add(store)  # as if nothing had happened
    with store._reading() as connection:
        assert "half_made" not in sa.inspect(connection).get_table_names()


def test_what_the_database_says_never_repeats_a_text(store):
    kept = add(store, "private words")
    with pytest.raises(CorrectionsUnavailableError) as failure:
        store.change(kept.id, {"confidence": 9, "note": "more private words"})  # PostgreSQL shows the whole row
    told = [failure.value.reason, str(failure.value)]
    assert not any("private" in each for each in told)
    # By its own name: SQLAlchemy's says no more than that something is wrong.
    assert failure.value.reason == ("IntegrityError" if store.address.path else "CheckViolation")
    assert "more private" not in str(failure.value.__cause__).partition("DETAIL")[0]
    assert store.get(kept.id) == kept


def test_ids_are_uuids_in_the_order_of_time():
    made = [make_id(now_ns) for now_ns in range(1_700_000_000_000_000_000, 1_700_000_000_000_100_000, 1000)]
    assert made == sorted(made)
    assert {uuid.UUID(each).version for each in made} == {7}
    assert len({make_id(0) for _ in range(1000)}) == 1000
    assert uuid.UUID(make_id(1_700_000_000_123_000_000)).int >> 80 == 1_700_000_000_123


def test_what_is_unknown_is_not_found(store):
    with pytest.raises(CorrectionNotFoundError):
        store.get(make_id())
    add(store)
    for act in (store.get, store.delete, lambda each: store.change(each, {"status": "accepted"})):
        with pytest.raises(CorrectionNotFoundError):
            act(make_id())


def test_nul_and_what_is_not_ascii_come_back(store):
    note = "市场 \u2028 \U0001f3ed '\"\\ %s :x"
    kept = add(store, "plan\x01", note=note, labels={"stance": "neutral"}, source="a'b")
    assert store.get(kept.id) == kept


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("postgres://u:p@h:5/d?sslmode=require", "postgresql+psycopg://u:p@h:5/d?sslmode=require"),
        ("postgresql://h/d", "postgresql+psycopg://h/d"),
        ("postgresql+psycopg:///d", "postgresql+psycopg:///d"),
    ],
)
def test_urls_of_postgresql_are_taken_as_people_write_them(value, expected):
    pytest.importorskip("psycopg")
    address = read_address(check_address(value))
    assert (address.path, address.url) == (None, expected)
    assert "p@" not in address.describe()


def test_the_file_stands_in_the_users_data_folder_unless_another_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert tmp_path in find_default_path().parents
    assert read_address(None).path == find_default_path()
    assert not list(tmp_path.iterdir())
    assert read_address("sqlite:////a/b.db").path == Path("/a/b.db")
    monkeypatch.chdir(tmp_path)
    assert read_address("sqlite:///b.db").path == tmp_path / "b.db"
    assert read_address("off") is None


def _save_labels(store, n_rows, *, text="Sell the depots.", labels=({"stance": "neutral"}, {"stance": "market-led"})):
    """So many corrections of one text, whose labels take turns; their ids, the oldest first."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        {
            "id": make_id(1_767_225_600_000_000_000 + n * 1_000_000), "created": start, "updated": start,
            "labelled": start + timedelta(seconds=n), "status": "pending", "text": text, "text_sha256": text,
            "labels": labels[n % len(labels)],
        }
        for n in range(n_rows)
    ]  # fmt: skip
    with store._writing() as connection:
        connection.execute(CORRECTIONS.insert(), rows)
    return [row["id"] for row in rows]


@pytest.mark.issue(4)
def test_clashes_are_counted_among_the_newest_of_a_text(store, monkeypatch):
    ids = _save_labels(store, 7)
    found = store.find_clashes(ids)
    assert [(found[each].n_older, found[each].n_newer) for each in ids] == [
        (0, 3), (1, 3), (1, 2), (2, 2), (2, 1), (3, 1), (3, 0)
    ]  # fmt: skip
    monkeypatch.setattr(clashes, "MOST_OF_A_TEXT", 3)
    assert {each: (clash.n_older, clash.n_newer) for each, clash in store.find_clashes([*ids[:2], ids[6]]).items()} == {
        ids[0]: (0, 1),
        ids[1]: (0, 2),
        ids[6]: (1, 0),
    }


@pytest.mark.issue(4)
def test_clashes_of_many_corrections_of_one_text_are_no_quadratic_work(file_store, monkeypatch):
    n_compared = 0
    real = clashes._contradicts

    def compare(*labels):
        nonlocal n_compared
        n_compared += 1
        return real(*labels)

    monkeypatch.setattr(clashes, "_contradicts", compare)
    ids = _save_labels(file_store, 3000)
    found = file_store.find_clashes(ids[-200:])
    assert n_compared <= 4
    assert found[ids[-1]].n_older == clashes.MOST_OF_A_TEXT // 2


@pytest.mark.issue(4)
def test_labels_of_what_can_be_exported_are_listed_once(store):
    _save_labels(store, 4, labels=({"stance": "neutral"}, {"stance": "both"}))
    assert store.list_labels() == [{"stance": "both"}]  # the latest of its text
    # What is accepted is exported though a pending one is newer.
    accepted, _ = _save_labels(store, 2, text="Rain.", labels=({"stance": "neutral"}, {"stance": "both"}))
    assert store.list_labels() == [{"stance": "both"}]
    store.change(accepted, {"status": "accepted"})
    assert sorted(each["stance"] for each in store.list_labels()) == ["both", "neutral"]
