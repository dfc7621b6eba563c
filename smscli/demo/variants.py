"""How stored sessions and messages are worded: every variant that the pages print or leave open."""

from datetime import UTC, datetime, timedelta

from smscli.demo.options import Options
from smscli.demo.store import Json, Session

_LAYOUTS = {
    "iso": "{:%Y-%m-%dT%H:%M:%S}.{ms:03d}{zone}",
    "blank": "{:%Y-%m-%d %H:%M:%S}.{ms:03d}{zone}",
    "glued": "{:%Y-%m-%d%H:%M:%S}.{ms:03d}{zone}",
    "spaced": "{:%Y-%m-%d%H: %M: %S}.{ms:03d}{zone}",
    "colon": "{:%Y-%m-%dT%H:%M:%S}.{ms:03d}{zone:.3}:{minutes:02d}",
    "unreadable": "a little after nine",
}
_MIXED = ("iso", "blank", "glued", "spaced", "colon", "z")
_KEYS = {"single": "smsession", "double": "smssession"}


def key_for(segment: str, options: Options) -> str:
    """The singular key (`smsession` or `smssession`) for an answer to a path with this segment."""
    return segment.removesuffix("s") if options.keys == "path" else _KEYS[options.keys]


def timestamp(ms: int, layout: str, offset: int = 0) -> str:
    """Epoch milliseconds in a printed layout, `offset` minutes east of UTC."""
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    if layout == "z":
        return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    hours, minutes = divmod(abs(offset), 60)
    zone = f"{'-' if offset < 0 else '+'}{hours:02d}{minutes:02d}"
    local = moment + timedelta(minutes=offset)
    return _LAYOUTS[layout].format(local, ms=ms % 1000, zone=zone, minutes=minutes)


def session_json(session: Session, key: str, base: str, options: Options) -> Json:
    """The session resource; `base` is the server's URL down to `/api/v2`."""
    uri = session.resource.get("uri", f"{base}/{key}s/{session.id}")
    resource = {"state": session.resource["state"], "id": session.id, "uri": uri}
    if options.minimal:
        return resource
    resource |= {name: value for name, value in session.resource.items() if name not in resource}
    if session.received is not None and options.timestamps != "absent":
        resource["receivedDate"] = _time(session.received, 0, options)
        resource["chatType"] = "Inbound"
    if options.unknown:
        resource["state"] = _unknown_state(session)
        resource |= {"priority": 3, "parent": {"kind": "campaign", "ids": [7, None]}}
    if options.null_fields:
        resource = {name: resource[name] if name in ("id", "uri") else None for name in resource}
    return resource


def is_plain(options: Options) -> bool:
    """Whether messages go out just as they are stored, their `timestampSeconds` apart."""
    changed = options.timestamp_seconds or options.utc_offset or options.from_extra or options.unknown
    return not (changed or options.null_fields or options.timestamps != "iso")


def message_json(stored: Json, base: str, options: Options) -> Json:
    """A stored message in the options' wording."""
    message = dict(stored)
    ms = message.pop("timestampSeconds", None)
    if is_plain(options):
        return message
    if ms is not None:
        message["timestamp"] = _time(ms, message["index"], options)
        if options.timestamp_seconds:
            message["timestampSeconds"] = ms
    if options.timestamps == "absent":
        message.pop("timestamp", None)
    if options.from_extra and message.get("from"):
        message["from"] = _with_extras(message["from"], base)
    if options.unknown:
        _estrange(message)
    if options.null_fields:
        message = {**dict.fromkeys(("from", "visibility", "text", "url", "noticeText")), **message}
    return message


def service_message(session: Session) -> Json:
    """The TranscriptSaveDone whose index is always -1 (SMSResources); the same one each time."""
    received = session.received or 0
    message = {"index": -1, "type": "TranscriptSaveDone", "visibility": "All"}
    return {**message, "timestamp": timestamp(received, "iso"), "timestampSeconds": received}


def _time(ms: int, index: int, options: Options) -> str:
    layout = options.timestamps
    if layout == "absent":
        return ""
    return timestamp(ms, _MIXED[index % len(_MIXED)] if layout == "mixed" else layout, options.utc_offset)


def _with_extras(sender: Json, base: str) -> Json:
    """The participant form of SMSSendCustomNotice."""
    person = sender["participantId"]
    user = f"{person:0>32}".lower()
    extras = {"uri": f"{base}/users/{user}", "path": f"/users/{user}", "id": person, "visibility": "All"}
    return extras | sender


def _unknown_state(session: Session) -> str:
    return "Parked" if session.id[-1] in "02468ACEGIKMOQSUWY" else str(session.resource["state"])


def _estrange(message: Json) -> None:
    message["eventAttributes"] = {"origin": "gateway-2", "hops": [1, 2], "retry": None}
    if message["index"] % 7 == 3:
        message["type"] = "ReactionAdded"
