"""`smscli show`: one session, its participants and its activity."""

from collections.abc import Sequence

from smscli.commands import option_values as values
from smscli.commands import options as opt
from smscli.commands.activity import SessionReader
from smscli.commands.check import ReadFindings
from smscli.commands.naming import only_session
from smscli.commands.sources import command_line, open_sources
from smscli.context import AppContext, masked
from smscli.errors import UsageError
from smscli.output.formats import ShownSession, output_format
from smscli.output.render.wording import counted
from smscli.transcript.findings import SessionFindings


def show(
    app: AppContext,
    session: opt.SessionArgument = None,
    source: opt.SourceOption = None,
    nats_creds: opt.CredentialsOption = None,
    json: opt.JsonOption = False,
    redact: opt.RedactOption = False,
    utc: opt.UtcOption = False,
    tz: opt.TzOption = None,
) -> None:
    """Show one session: participants, user data, activity.

    Also its capabilities, how much each participant wrote, who waits and who is typing.
    """
    from smscli.output.render.timeline import Timeline

    zone = values.zone_option(utc, tz)
    names = open_sources(app, session, source, nats_creds)
    if len(names) > 1:
        raise UsageError(f"show takes one session, not {names[1]!r} too")
    if not names and not app.reads_recordings:
        raise UsageError("show takes a session", hint="`smscli list` shows the ids")
    form = output_format(app.terminal, json=json, zone=zone)
    reads = masked(app.source, redact)
    listing = app.recorded.sessions_named(names) if app.recorded else app.source.sessions()
    listed = shown = only_session(app, listing, names, redact=redact)
    if redact:
        from smscli.transcript.redact import mask_session

        shown = mask_session(listed)
    reader, timeline = SessionReader(shown), Timeline(shown)
    findings = ReadFindings(app, listed.id, listed, redact=redact)
    for page in findings.judged(reads.messages(listed.id)):
        for message in page.messages:
            timeline.judge(message)
            for entry in reader.add(message):
                timeline.add(entry)
    now = app.server_time
    end = None if shown.ended else now
    result = ShownSession(
        shown,
        reader.summary(now),
        lambda: timeline.picture(app.terminal, zone=zone, now=end),
        lambda: _told(app, listed.id, findings()),
    )
    app.terminal.write(form.session(result))


def _told(app: AppContext, session_id: str, findings: Sequence[SessionFindings]) -> str:
    """How many findings there are, and how to see them; empty without any."""
    number = sum(len(one.problems) for one in findings)
    command = command_line(app, "check", session_id)
    told = f": {command}" if command else ""
    return f"{counted(number, 'finding')}{told}" if number else ""
