"""``python -m promptsrc``: the command."""

from ._command import main

main()
