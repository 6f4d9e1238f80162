"""`watermark demo`: mark, attack and read side by side in a browser; the work apart from the page."""
