"""What `list` does with the sessions it has read."""

from smscli.commands.list import ListQuery
from smscli.model import Participant, Session
from smscli.output.columns import DEFAULT_COLUMNS, ListedSession, parse_order
from smscli.transcript.filters import SessionFilter


def test_filters_and_sorting_go_together() -> None:
    kiwi, fig = Participant("Customer", "Kiwi", "C1"), Participant("Customer", "fig", "C2")
    sessions = [
        Session("S1", "Chatting", participants=(kiwi,)),
        Session("S2", "Invited", participants=(kiwi,)),
        Session("S3", "Chatting", participants=(kiwi,)),
        Session("S4", "Chatting", participants=(fig,)),
    ]
    query = ListQuery(DEFAULT_COLUMNS, SessionFilter(frozenset({"Chatting"}), "kiwi"), parse_order("-id"))
    assert [one.session.id for one in query.arrange(map(ListedSession, filter(query.passes, sessions)))] == [
        "S3",
        "S1",
    ]
