"""Colours of people: a person has the same one in every command."""

from smscli.model import Participant, Role, caseless

# Customers are green to blue, agents yellow to red. The contrast on black and on white is at least 4:1
# (WCAG).
_CUSTOMERS = (28, 31, 64, 27, 29, 30)
_AGENTS = (130, 161, 132, 163, 131, 133)
_OTHERS = (98, 96, 99)
_FAMILIES = {Role.CUSTOMER: _CUSTOMERS, Role.AGENT: _AGENTS, None: _OTHERS}

ALARM = "bold color(162)"
"""What needs action: a customer who has waited too long, a lost connection."""


def person_number(person: Participant, colors: int) -> int:
    """Which one of so many colours the person has, from 0."""
    # A sum, so that Agent1 and Agent2 differ.
    return sum(caseless(person.person[1] or "").encode("utf-8", "surrogatepass")) % colors


def person_style(person: Participant) -> str:
    """The person's colour on a terminal."""
    family = _FAMILIES[person.role]
    return f"color({family[person_number(person, len(family))]})"


def role_style(role: Role | None) -> str:
    """The colour of a role as a whole."""
    return f"color({_FAMILIES[role][0]})"
