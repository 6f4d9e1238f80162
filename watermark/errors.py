"""The error that a person should read: one clear line, no traceback."""


class UserError(Exception):
    """Something the person who called can put right: a file, an option, a key or a setting.

    The message is one line that says what was expected and what was given; the command line prints it and exits
    with status 2. It never contains a key.

    Example:
        >>> raise UserError("--quality: expected 1 to 100, got 200")
        Traceback (most recent call last):
        watermark.errors.UserError: --quality: expected 1 to 100, got 200
    """
