"""`smscli show`: one session, who is in it, and what went on."""

from smscli.commands.options import IdArgument, JsonOption, RedactOption, TzOption, UtcOption
from smscli.commands.zones import zone_of
from smscli.context import AppContext
from smscli.errors import NotFound, did_you_mean
from smscli.output.export import pair_rows, session_with_activity
from smscli.records import json_text
from smscli.transcript.activity import Activity
from smscli.transcript.fold import transcript_for


def show(
    app: AppContext,
    session_id: IdArgument,
    json: JsonOption = False,
    redact: RedactOption = False,
    utc: UtcOption = False,
    tz: TzOption = None,
) -> None:
    """Show one session: who, what data, how active.

    Its participants, capabilities and user data, who said how much, who waits, who is typing.
    """
    from smscli.output.render.timeline import Timeline

    zone = zone_of(utc, tz)
    reads = app.reads(redact)
    listing = reads.sessions()
    session = listing.find(session_id)
    if session is None:
        whose = f"`smscli list` shows the live sessions of {app.user}"
        raise NotFound(f"no such session: {session_id}", hint=did_you_mean(listing.meant(session_id), whose))
    activity, timeline, transcript = Activity(), Timeline(), transcript_for("fold")()
    for page in reads.messages(session.id):
        for message in page.messages:
            for entry in transcript.add(message):
                activity.add(entry.message, entry.composing)
                timeline.add(entry)
    now = app.server_time
    typing = [one.participant for one in transcript.typing(now)]
    summary = activity.summary(now, session.ended, typing)
    if json:
        app.terminal.write(json_text(session_with_activity(session, summary)) + "\n")
    elif app.terminal.pipe:
        app.terminal.write("".join(f"{row}\n" for row in pair_rows(session_with_activity(session, summary))))
    else:
        from smscli.output.render.tables import session_card

        picture = timeline.picture(app.terminal, zone=zone, now=None if session.ended else now)
        app.terminal.write(session_card(session, summary, app.terminal, zone=zone, timeline=picture))
