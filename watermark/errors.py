"""The error that a person sees."""


class UserError(Exception):
    """Something the user can mend; its text is the one line they read: what was expected and what was given."""
