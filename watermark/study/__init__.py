"""Is the mark seen? A page that asks people which of two pictures is marked, and what their answers say."""
