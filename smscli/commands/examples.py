"""The examples in each command's help, which the man page prints too: what for, and the command line."""

from collections.abc import Mapping

EXAMPLES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "": (
        ("try it without a server", "smscli --demo tail --all"),
        ("sign in to a server", "smscli auth login"),
        ("who waits longest, and what was said last", "smscli list --activity --sort -waiting"),
    ),
    "list": (
        ("who waits longest, and what was said last", "smscli list --activity --sort -waiting"),
        ("keep the list on the screen, who waits longest first", "smscli list --watch"),
        ("customers without an answer for five minutes", "smscli list --waiting 5m --activity"),
        ("the ids of all invitations, for a script", "smscli list --state Invited --columns id"),
        ("a whole contact centre, from a stream", "smscli list -a --source nats://n1.example.com/CENTRE"),
    ),
    "show": (
        ("the session of the customer Mika", "smscli show Mika"),
        ("when a session's customer wrote last", "smscli show Mika --json | jq .activity.lastMessageAt"),
    ),
    "messages": (
        ("the last ten entries of Mika's session", "smscli messages Mika -n 10"),
        ("what customers wrote about payments", "smscli messages Toni --from customer --grep 'pa(y|id)' -i"),
        ("a page for a ticket, personal data masked", "smscli messages Mika --redact --html mika.html"),
        ("a page for the customer", "smscli messages Mika --customer-view --html mika.html"),
        ("a recording", "smscli messages @sms.jsonl --since yesterday"),
    ),
    "tail": (
        ("follow the session of the customer Mika", "smscli tail Mika"),
        ("follow all sessions, with a bell at each message of a customer", "smscli tail --all --bell"),
        ("keep everything in a file too", "smscli tail --all --record sms.jsonl"),
        ("report who has waited for five minutes", "smscli tail --all --last 0 --waiting 5m"),
        ("publish all profiles to a stream", "smscli tail --all -p '*' --to nats://n1.example.com/CENTRE"),
        ("follow Mika's session from a stream", "smscli tail Mika --source nats://n1.example.com/CENTRE"),
    ),
    "check": (
        ("whether something is wrong with Mika's conversation", "smscli check Mika"),
        ("all sessions, who has waited for five minutes as a failure", "smscli check --all --waiting 5m"),
        (
            "what needs action now, for a script",
            "smscli check --all --jsonl | jq 'select(.result == \"fail\")'",
        ),
        ("yesterday's recordings", "smscli check '@sms-*.jsonl'"),
    ),
    "doctor": (("find out why something does not work", "smscli doctor"),),
    "demo": (("a server to try scripts against", "smscli demo --port 8090"),),
    "completion": (("complete commands and ids in bash", "source <(smscli completion bash)"),),
    "help": (("the help of a command", "smscli help auth login"),),
    "sessions": (("the same as `smscli list`", "smscli sessions list"),),
    "auth": (
        ("sign in", "smscli auth login"),
        ("whether the stored secret still works", "smscli auth status"),
    ),
    "auth login": (
        ("answer the prompts", "smscli auth login"),
        ("a second server, under a name", "smscli auth login --profile berlin --url gws.example.com"),
        ("with the cookie of a browser's session", "smscli auth login --cookie-stdin < cookie.txt"),
        ("without a keyring", "smscli auth login --password-command 'pass show gws'"),
        (
            "with the password from standard input",
            "smscli auth login --url gws.example.com --user maja --password-stdin",
        ),
    ),
    "auth logout": (
        ("forget the default profile's secret", "smscli auth logout"),
        ("forget all secrets", "smscli auth logout --all"),
    ),
    "auth status": (("whether the server accepts the secret", "smscli auth status --json | jq .accepted"),),
    "auth list": (("the saved profiles", "smscli auth list"),),
    "auth use": (("make a profile the default", "smscli auth use berlin"),),
}
"""By the command's name, groups included; the commands under `sessions` have those of their short names."""


def examples(command: str) -> tuple[tuple[str, str], ...]:
    """The examples of a command such as `auth login`; `` is smscli itself."""
    return EXAMPLES[command.removeprefix("sessions ")]
