"""`smscli show`: one session, its participants and its activity."""

from smscli.commands.activity import SessionReader
from smscli.commands.naming import find_session
from smscli.commands.options import IdArgument, JsonOption, RedactOption, TzOption, UtcOption, zone_option
from smscli.context import AppContext
from smscli.output.formats import output_format


def show(
    app: AppContext,
    session_id: IdArgument,
    json: JsonOption = False,
    redact: RedactOption = False,
    utc: UtcOption = False,
    tz: TzOption = None,
) -> None:
    """Show one session: participants, user data, activity.

    Also its capabilities, how much each participant wrote, who waits and who is typing.
    """
    from smscli.output.render.timeline import Timeline

    zone = zone_option(utc, tz)
    form = output_format(app.terminal, json=json, zone=zone)
    reads = app.reads(redact)
    session = find_session(app, app.client.sessions(), session_id, redact=redact)
    if redact:
        from smscli.transcript.redact import mask_session

        session = mask_session(session)
    reader, timeline = SessionReader(session), Timeline(session)
    for page in reads.messages(session.id):
        for message in page.messages:
            timeline.judge(message)
            for entry in reader.add(message):
                timeline.add(entry)
    now = app.server_time
    summary = reader.summary(now)
    end = None if session.ended else now
    app.terminal.write(
        form.session(session, summary, lambda: timeline.picture(app.terminal, zone=zone, now=end))
    )
