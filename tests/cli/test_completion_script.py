"""`smscli completion SHELL`: the scripts as they are in the checkout."""

import pytest

from tests.support.command import Smscli
from tests.support.paths import ROOT


@pytest.mark.parametrize(
    ("shell", "file"),
    [("bash", "smscli.bash"), ("zsh", "_smscli"), ("fish", "smscli.fish"), ("powershell", "smscli.ps1")],
)
def test_a_shells_script_is_printed_as_it_is(smscli: Smscli, shell: str, file: str) -> None:
    done = smscli("completion", shell)
    assert (done.code, done.out, done.err) == (0, (ROOT / "completions" / file).read_text(), "")


def test_an_unknown_shell_is_wrong_usage(smscli: Smscli) -> None:
    done = smscli("completion", "ksh")
    assert (done.code, done.out, done.err) == (
        2,
        "",
        "error: completion takes bash, zsh, fish or powershell, not 'ksh'\n",
    )
