"""The sample platform: a fixed, invented cast and a seeded generator of its landing files.

Nothing in here is real: partners, titles, people and comments are made up. The files go in
through `ingest` like anybody's.
"""
