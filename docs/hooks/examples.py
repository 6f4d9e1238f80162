"""Our docstrings say ``Example:``; griffe knows the section ``Examples:``, which it sets as code."""

import griffe


class Examples(griffe.Extension):
    """Turn the one into the other, in the site alone."""

    def on_instance(self, *, obj, **_):
        """Called for every object that griffe has read."""
        if obj.docstring is not None:
            obj.docstring.value = obj.docstring.value.replace("\nExample:\n", "\nExamples:\n")
