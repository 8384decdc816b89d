from __future__ import annotations

import json
import logging

import pytest
import structlog

from services.common.logs import bind_call, configure_logs, get_logger, timed


@pytest.fixture(autouse=True)
def own_logging():
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
    bind_call()


def lines(capsys) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_the_job_id_is_in_every_line_of_ours_and_of_libraries(capsys):
    configure_logs("generator", log_format="json")
    bind_call(job_id="j7", request_id="")
    get_logger("a").info("generated", num_steps=4)
    logging.getLogger("library").warning("careful")
    ours, theirs = lines(capsys)
    assert (ours["event"], ours["num_steps"], ours["job_id"]) == ("generated", 4, "j7")
    assert (theirs["event"], theirs["job_id"], theirs["service"]) == ("careful", "j7", "generator")
    assert "request_id" not in ours
    assert ours["timestamp"].endswith("Z")


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_secret_reaches_a_line(capsys, log_format):
    configure_logs("gateway", log_format=log_format)
    key = "omr_0123456789ab_" + "s3cret" * 7 + "x"
    get_logger("a").info("opened", url="postgresql+psycopg://me:s3cret@db/x", key=key)
    logging.getLogger("library").warning("sent Authorization: Bearer s3cret.s3cret.s3cret")
    try:
        raise RuntimeError("amqp://me:s3cret@mq is away")
    except RuntimeError as error:
        get_logger("a").error("broken", exc_info=error)
    said = capsys.readouterr().err
    assert "s3cret" not in said
    assert "postgresql+psycopg://me:***@db/x" in said and "omr_0123456789ab_***" in said


def test_a_call_begins_with_nothing_of_the_one_before(capsys):
    configure_logs("generator", log_format="json")
    bind_call(job_id="j7")
    bind_call(request_id="r8")
    get_logger("a").info("x")
    (line,) = lines(capsys)
    assert "job_id" not in line
    assert line["request_id"] == "r8"


def test_the_level_counts(capsys):
    configure_logs("generator", log_format="json", level="warning")
    get_logger("a").info("no")
    get_logger("a").warning("yes")
    assert [line["event"] for line in lines(capsys)] == ["yes"]


def test_an_exception_is_one_line_of_json(capsys):
    configure_logs("generator", log_format="json")
    try:
        _ = 1 / 0
    except ZeroDivisionError as error:
        get_logger("a").error("broke", exc_info=error)
    (line,) = lines(capsys)
    assert "ZeroDivisionError" in line["exception"]


def test_timed_says_how_long_and_only_when_it_ended_well(capsys):
    configure_logs("generator", log_format="json")
    with timed(get_logger("a"), "loaded", model="m") as more:
        more["bytes"] = 3
    with pytest.raises(ZeroDivisionError), timed(get_logger("a"), "failed"):
        _ = 1 / 0
    (line,) = lines(capsys)
    assert (line["event"], line["model"], line["bytes"]) == ("loaded", "m", 3)
    assert line["seconds"] >= 0
