"""Stored sessions and messages as JSON resources, in the form that the documentation prints."""

from smscli.demo.store import Json, StoredSession, iso_time


class ResourceFormat:
    """Writes resources; `base_url` is the server's URL up to and with `/api/v2`."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    def url(self, path: str) -> str:
        """The URL of a resource at this path below `/api/v2`."""
        return f"{self._base_url}{path}"

    def session(self, session: StoredSession, key: str) -> Json:
        """The session resource (SMSResources); `key` is its singular name, as in `smsession`."""
        uri = session.resource.get("uri", self.url(f"/{key}s/{session.id}"))
        fixed = {"state": session.resource["state"], "id": session.id, "uri": uri}
        resource = {**fixed, **session.resource, **fixed}
        if session.received is not None:
            # Both are printed on the page SMSSwitchtoBargeIn.
            resource |= {"receivedDate": iso_time(session.received), "chatType": "Inbound"}
        return resource

    def message(self, stored: Json) -> Json:
        """The message as the messages resource has it (SMSResources)."""
        return {name: value for name, value in stored.items() if name != "timestampSeconds"}
