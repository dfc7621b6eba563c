"""`smscli completion SHELL`: print the script that completes smscli in a shell."""

from pathlib import Path

import smscli
from smscli.commands.options import SHELLS, ShellArgument
from smscli.context import AppContext
from smscli.errors import UsageError

_FILES = dict(zip(SHELLS, ("smscli.bash", "_smscli", "smscli.fish", "smscli.ps1"), strict=True))


def completion(app: AppContext, shell: ShellArgument) -> None:
    """Print the completion script of a shell.

    \b
    bash        source <(smscli completion bash)        in ~/.bashrc
    zsh         smscli completion zsh > FOLDER/_smscli  FOLDER is in $fpath
    fish        smscli completion fish > ~/.config/fish/completions/smscli.fish
    powershell  smscli completion powershell | Out-String | Invoke-Expression
                                                        in $PROFILE
    """
    if shell not in _FILES:
        raise UsageError(f"completion takes {', '.join(SHELLS[:-1])} or {SHELLS[-1]}, not {shell!r}")
    app.terminal.write((_folder() / _FILES[shell]).read_text(encoding="utf-8"))


def _folder() -> Path:
    """The folder of the scripts: within the installed package; in a checkout beside it."""
    package = Path(smscli.__file__).parent
    installed = package / "completions"
    return installed if installed.is_dir() else package.parent / "completions"
