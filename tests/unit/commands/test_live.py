"""What the following commands report of customers who wait."""

from datetime import timedelta

import pytest

from smscli.commands.live import WaitAlert
from smscli.context import AppContext
from smscli.model import Participant
from smscli.transcript.activity import Activity
from tests.support.captured_terminal import CapturedTerminal
from tests.support.entries import AGENT, CUSTOMER, START, message

ID = "0000Na9B26EF002G"


def said_at(activity: Activity, seconds: float, sender: Participant) -> None:
    at = START + timedelta(seconds=seconds)
    activity.add(message("Text", sender, "hello", at=at, index=int(seconds) + 1))


@pytest.mark.parametrize(
    ("answered", "alerts"),
    [
        (
            True,
            [
                f"PersonP has been waiting for 10 s in session {ID}",
                f"PersonP has been waiting for 8 s in session {ID}",
            ],
        ),
        (False, [f"PersonP has been waiting for 10 s in session {ID}"]),
    ],
)
def test_each_wait_is_reported_once_even_if_answer_and_question_come_together(
    answered: bool, alerts: list[str]
) -> None:
    terminal = CapturedTerminal()
    app = AppContext({"SMSCLI_URL": "https://gws.example.com"}, json_stderr=False, terminal=terminal)
    alert = WaitAlert(5.0, None)
    activity = Activity()
    said_at(activity, 0, CUSTOMER)
    for seconds in (10, 11):
        alert.exceeded(app, ID, activity, START + timedelta(seconds=seconds))
    if answered:
        said_at(activity, 12, AGENT)
    said_at(activity, 13, CUSTOMER)
    for seconds in (14, 21, 22):
        alert.exceeded(app, ID, activity, START + timedelta(seconds=seconds))
    assert terminal.err_text.splitlines() == alerts
