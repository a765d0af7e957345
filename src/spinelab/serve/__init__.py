"""Doors: the command line and the Python verbs. No logic of their own; everything is done by the floors below."""
