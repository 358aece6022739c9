"""Errors that a user can act on: what was wrong, where, and what would be right."""


class SegflowError(Exception):
    """Base of all expected failures of this package; commands print it as one line."""


class DataError(SegflowError, ValueError):
    """A file or folder holds something else than what it should."""


class MissingDataError(DataError, FileNotFoundError):
    """A file or folder that is needed is not there."""


class UsageError(SegflowError, ValueError):
    """A command was called with arguments that do not go together."""
