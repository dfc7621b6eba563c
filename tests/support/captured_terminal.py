"""A terminal that captures what is written."""

from collections.abc import Mapping
from io import BytesIO

from smscli.output.terminal import Terminal
from smscli.output.writer import Stream


class CapturedTerminal(Terminal):
    """stdout and stderr in memory; `err_tty` defaults to `tty`."""

    def __init__(
        self,
        *,
        width: int = 80,
        tty: bool = True,
        err_tty: bool | None = None,
        color: str = "auto",
        encoding: str = "utf-8",
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._out_bytes = BytesIO()
        self._err_bytes = BytesIO()
        super().__init__(
            Stream(self._out_bytes, tty=tty, encoding=encoding),
            Stream(self._err_bytes, tty=tty if err_tty is None else err_tty, encoding=encoding),
            {"COLUMNS": str(width), **(environ or {})},
        )
        self.color_choice = color

    @property
    def out_text(self) -> str:
        """Everything written to stdout so far."""
        self.flush()
        return self._out_bytes.getvalue().decode(self._out.encoding)

    @property
    def err_text(self) -> str:
        """Everything written to stderr so far."""
        return self._err_bytes.getvalue().decode(self._err.encoding)

    def isolate(self) -> None:
        """Do nothing: a test writes to memory, and stdout is the test runner's."""

    def resize(self, width: int) -> None:
        """Change its width."""
        self._columns = width
