"""The baseline: the least that a plain Python program does to print the server's data.

`floor.py list URL` is one GET; `floor.py messages URL` is one GET after another, 500 messages a page, from
index 1 on; `floor.py activity URL...` reads one log after the other. Each item becomes a line of JSON. User
and password are in the environment, as smscli has them.
"""

import json
import os
import sys
from importlib import import_module

import requests

PAGE = 500

# Unused, but a program with options imports it, so it is part of the baseline.
import_module("typer")


def list_sessions(http: requests.Session, url: str) -> None:
    for session in json.loads(http.get(url).content)["smsessions"]:
        sys.stdout.write(json.dumps(session) + "\n")


def messages(http: requests.Session, url: str) -> None:
    start, length = 1, PAGE
    while length == PAGE:
        page = json.loads(http.get(f"{url}?startIndex={start}&count={PAGE}").content)["messages"]
        for message in page:
            sys.stdout.write(json.dumps(message) + "\n")
            start = message["index"] + 1
        length = len(page)


def activity(http: requests.Session, *urls: str) -> None:
    for url in urls:
        page = json.loads(http.get(f"{url}?startIndex=1&count={PAGE}").content)["messages"]
        rest = http.get(f"{url}?startIndex={page[-1]['index'] + 1}").content
        sys.stdout.write(json.dumps([page[-1], json.loads(rest)["messages"]]) + "\n")


if __name__ == "__main__":
    http = requests.Session()
    http.auth = (os.environ["SMSCLI_USERNAME"], os.environ["SMSCLI_PASSWORD"])
    {"list": list_sessions, "messages": messages, "activity": activity}[sys.argv[1]](http, *sys.argv[2:])
