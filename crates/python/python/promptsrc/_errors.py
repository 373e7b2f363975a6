"""The exceptions and the warning of this package."""


class PromptsrcError(Exception):
    """Something cannot be done; the message says what and why."""


class InputError(PromptsrcError, ValueError):
    """What was asked for, or what is in a file, cannot be used."""


class FileError(PromptsrcError, OSError):
    """A file or the system does not allow it."""


class PromptsrcWarning(UserWarning):
    """What a person should know of a result."""
