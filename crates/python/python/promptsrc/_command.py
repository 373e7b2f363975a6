"""The command ``promptsrc``, as the package installs it."""

from __future__ import annotations

import signal
import sys

from . import _promptsrc


def main() -> None:
    """Run the command with the arguments of this process."""
    # Rust's threads do not come back to Python, whose own handler would wait for that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(_promptsrc.main(sys.argv))


if __name__ == "__main__":
    main()
