"""The sweep deletes unsent uploads and files without a message, and nothing else."""

import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from famichat.app.lifecycle import Lifecycle
from famichat.app.services import start_services
from famichat.attachments.files import Files, FilesOfAnotherServer, names_of
from famichat.attachments.sweep import Sweep
from famichat.chat.records.attachment import Attachment, forget_attachments
from famichat.settings import load_settings
from famichat.storage.base import new_id, now
from famichat.storage.database import Database
from famichat.telemetry.events import AttachmentsSwept, Event
from famichat.telemetry.metrics import Metrics
from tests.factories.people import Household
from tests.factories.talk import attach, direct_of, say
from tests.support.running import running


def kept(files: Files, *attachment_ids: str) -> list[bool]:
    return [files.upload(each).exists() for each in attachment_ids]


def put(files: Files, *attachment_ids: str, age_hours: float) -> None:
    for each in attachment_ids:
        path = files.upload(each)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        moment = time.time() - age_hours * 3600
        os.utime(path, (moment, moment))


async def test_unsent_uploads_are_deleted_after_a_day_and_stray_files_after_an_hour(
    database: Database, household: Household, tmp_path: Path, emitted: list[Event]
) -> None:
    def prepare(session: Session) -> tuple[str, str, str]:
        direct = direct_of(session, household)
        [sent_message] = say(session, direct, household.maja, "hej")
        sent, old, new = (attach(session, direct, household.maja, each) for each in (sent_message, None, None))
        yesterday = update(Attachment).where(Attachment.id.in_([sent, old]))
        session.execute(yesterday.values(created_at=now() - timedelta(hours=25)))
        return sent, old, new

    sent, old, new = await database.transaction(prepare)
    stray, young = new_id(), new_id()
    files = Files(tmp_path / "files")
    put(files, sent, old, new, stray, age_hours=25)
    put(files, young, age_hours=0)

    await Sweep(database, files).once()

    assert kept(files, sent, new, young) == [True, True, True]
    assert kept(files, old, stray) == [False, False]
    assert AttachmentsSwept(unsent=1, strays=2) in emitted


async def test_attachments_go_with_their_message(database: Database, household: Household, tmp_path: Path) -> None:
    def prepare(session: Session) -> list[str]:
        direct = direct_of(session, household)
        one, other = say(session, direct, household.maja, "hej", "du")
        stays = attach(session, direct, household.maja, other)
        continues = attach(session, direct, household.maja, one)
        assert forget_attachments(session, [one]) == [continues]
        return [continues, stays]

    continues, stays = await database.transaction(prepare)
    files = Files(tmp_path / "files")
    put(files, continues, stays, age_hours=0)
    files.remove([continues])

    assert kept(files, continues, stays) == [False, True]
    assert database.run_read(lambda session: session.get(Attachment, continues)) is None


async def test_a_sweep_begins_with_the_server(database: Database, tmp_path: Path) -> None:
    files, stray = Files(tmp_path / "files"), new_id()
    put(files, stray, age_hours=2)
    sweep = Sweep(database, files)

    async with running(sweep):
        await sweep.once()

    assert kept(files, stray) == [False]


async def test_where_there_are_no_files_there_is_nothing_to_sweep(database: Database, tmp_path: Path) -> None:
    await Sweep(database, Files(tmp_path / "none")).once()


def test_a_full_disk_takes_no_file(tmp_path: Path) -> None:
    files = Files(tmp_path / "not" / "there" / "yet")

    assert files.has_room_for(1)
    assert not files.has_room_for(2**60)


def test_a_directory_belongs_to_the_first_server_that_claims_it(tmp_path: Path) -> None:
    files = Files(tmp_path / "files")
    files.claim("a-database")
    files.claim("a-database")

    with pytest.raises(FilesOfAnotherServer):
        Files(tmp_path / "files").claim("another-database")


def test_files_that_were_there_before_the_claim_are_not_swept(tmp_path: Path) -> None:
    files, before, after = Files(tmp_path / "files"), new_id(), new_id()
    put(files, before, age_hours=2)
    files.claim("a-database")
    put(files, after, age_hours=-1)

    assert files.remove_strays([], older_than_seconds=3600) == 1
    assert kept(files, before, after) == [True, False]


async def test_a_server_refuses_the_files_of_another_one(database_url: str, tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "data", database_url=database_url)
    Files(settings.effective_files_dir).claim("another-database")

    with pytest.raises(FilesOfAnotherServer):
        async with Lifecycle() as lifecycle:
            await start_services(settings, lifecycle, Metrics())


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"finished_at": None}, {"x"}),
        ({}, {"x"}),
        ({"width": 4, "thumbnail_bytes": 9}, {"x.picture", "x.thumbnail"}),
        ({"width": 4, "thumbnail_bytes": 9, "keep_metadata": True}, {"x", "x.thumbnail"}),
        ({"thumbnail_bytes": 9}, {"x", "x.thumbnail"}),
    ],
    ids=["unfinished", "file", "photo", "original photo", "video with a picture"],
)
def test_the_files_of_an_attachment_are_known(fields: dict[str, Any], names: set[str]) -> None:
    fields = {"finished_at": now(), "width": None, "thumbnail_bytes": 0, "keep_metadata": False} | fields
    assert names_of(Attachment(id="x", **fields)) == names
