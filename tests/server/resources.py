"""Sessions, messages and notifications in every form that the pages print or leave open."""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, cycle, islice
from typing import Any

from smscli.demo.notifications import NotificationFormat
from smscli.demo.resources import ResourceFormat
from smscli.demo.store import Change, Json, StoredSession
from tests.server.options import Options

_LAYOUTS = {
    "iso": "{:%Y-%m-%dT%H:%M:%S}.{ms:03d}{zone}",
    "blank": "{:%Y-%m-%d %H:%M:%S}.{ms:03d}{zone}",
    "glued": "{:%Y-%m-%d%H:%M:%S}.{ms:03d}{zone}",
    "spaced": "{:%Y-%m-%d%H: %M: %S}.{ms:03d}{zone}",
    "colon": "{:%Y-%m-%dT%H:%M:%S}.{ms:03d}{zone:.3}:{minutes:02d}",
    "unreadable": "a little after nine",
}
_MIXED = ("iso", "blank", "glued", "spaced", "colon", "z")
KEYS = {"single": "smsession", "double": "smssession"}


class FakeResourceFormat(ResourceFormat):
    """Writes resources as the switches say."""

    def __init__(self, base_url: str, options: Callable[[], Options]) -> None:
        super().__init__(base_url)
        self._options = options
        self._signatures = count(1)

    def url(self, path: str) -> str:
        base = self._options().uri_base
        return f"{base}{path}" if base else super().url(path)

    def session(self, session: StoredSession, key: str) -> Json:
        options, resource = self._options(), super().session(session, key)
        if resource.get("participants"):
            participants = self.with_odd_entries("participants", resource["participants"])
            resource["participants"] = list(participants)
        if options.minimal:
            return {name: resource[name] for name in ("state", "id", "uri")}
        if session.received is not None and options.timestamps == "absent":
            del resource["receivedDate"], resource["chatType"]
        elif session.received is not None:
            resource["receivedDate"] = _time(session.received, 0, options)
        if options.unknown:
            resource["state"] = _unknown_state(session)
            resource |= {"priority": 3, "parent": {"kind": "campaign", "ids": [7, None]}}
        if options.null_fields:
            resource = {name: resource[name] if name in ("id", "uri") else None for name in resource}
        return resource

    def is_plain(self) -> bool:
        """Whether no switch changes messages that have no attachment."""
        options = self._options()
        changed = options.timestamp_seconds or options.utc_offset or options.from_extra or options.unknown
        return not (changed or options.null_fields or options.timestamps != "iso")

    def message(self, stored: Json) -> Json:
        options, message = self._options(), super().message(stored)
        if options.attachment_uris != "stable" and "attachment" in message:
            message["attachment"] = self._signed(message["attachment"])
        if self.is_plain():
            return message
        ms = stored.get("timestampSeconds")
        if ms is not None:
            message["timestamp"] = _time(ms, message["index"], options)
            if options.timestamp_seconds:
                message["timestampSeconds"] = ms
        if options.timestamps == "absent":
            message.pop("timestamp", None)
        if options.from_extra and message.get("from"):
            message["from"] = self._with_extras(message["from"])
        if options.unknown:
            _make_unknown(message)
        if options.null_fields:
            message = {**dict.fromkeys(("from", "visibility", "text", "url", "noticeText")), **message}
        return message

    def service_message(self, session: StoredSession) -> Json:
        """The TranscriptSaveDone whose index is always -1 (SMSResources); the same one each time."""
        received = session.received or 0
        stored = {"index": -1, "type": "TranscriptSaveDone", "visibility": "All"}
        return self.message({**stored, "timestamp": timestamp(received, "iso"), "timestampSeconds": received})

    def with_odd_entries(self, place: str, entries: Iterable[Any]) -> Iterator[Any]:
        """The entries of a list, each followed by the next of the odd ones."""
        options = self._options()
        odd = options.odd_entries if place in options.odd_entries_in else ()
        following = cycle(json.loads(text) for text in odd)
        for entry in entries:
            yield entry
            yield from islice(following, 1)

    def _signed(self, attachment: Json) -> Json:
        """The attachment with a uri that no other read gets."""
        signature, uri = next(self._signatures), attachment["uri"]
        if self._options().attachment_uris == "signed-query":
            return attachment | {"uri": f"{uri}?sig={signature}"}
        folder, _, name = uri.rpartition("/")
        return attachment | {"uri": f"{folder}/sig-{signature}/{name}"}

    def _with_extras(self, sender: Json) -> Json:
        """The participant in the form of SMSSendCustomNotice."""
        person = sender["participantId"]
        path = f"/users/{f'{person:0>32}'.lower()}"
        return {"uri": self.url(path), "path": path, "id": person, "visibility": "All"} | sender


class FakeNotificationFormat(NotificationFormat):
    """Writes notifications as the switches say."""

    resources: FakeResourceFormat

    def __init__(self, resources: FakeResourceFormat, options: Callable[[], Options]) -> None:
        super().__init__(resources)
        self._options = options

    def key(self) -> str:
        return KEYS[self._options().push_keys]

    def data(self, change: Change, session: StoredSession) -> Json | None:
        data = super().data(change, session)
        if data and "messages" in data:
            data["messages"] = list(self.resources.with_odd_entries("notifications", data["messages"]))
        return data

    def address(self, session: StoredSession) -> Json:
        address, path = self._options().push_address, {f"{self.key()}Path": f"/{self.key()}s/{session.id}"}
        uri = super().address(session)
        return {"uri": uri, "path": path, "both": path | uri, "none": {}}[address]


def timestamp(ms: int, layout: str, offset: int = 0) -> str:
    """Epoch milliseconds in a printed layout, `offset` minutes east of UTC."""
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    if layout == "z":
        return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    hours, minutes = divmod(abs(offset), 60)
    zone = f"{'-' if offset < 0 else '+'}{hours:02d}{minutes:02d}"
    local = moment + timedelta(minutes=offset)
    return _LAYOUTS[layout].format(local, ms=ms % 1000, zone=zone, minutes=minutes)


def _time(ms: int, index: int, options: Options) -> str:
    layout = options.timestamps
    if layout == "absent":
        return ""
    return timestamp(ms, _MIXED[index % len(_MIXED)] if layout == "mixed" else layout, options.utc_offset)


def _unknown_state(session: StoredSession) -> str:
    return "Parked" if session.id[-1] in "02468ACEGIKMOQSUWY" else str(session.resource["state"])


def _make_unknown(message: Json) -> None:
    message["eventAttributes"] = {"origin": "gateway-2", "hops": [1, 2], "retry": None}
    if message["index"] % 7 == 3:
        message["type"] = "ReactionAdded"
