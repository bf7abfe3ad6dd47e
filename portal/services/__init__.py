"""The private servers of one checkout: PostgreSQL, Valkey and a mail catcher, and who runs them.

Nothing here imports Django, so that settings may read the paths and the servers start quickly.
A deployment that brings its own servers (the URLs are set) starts none of this.
"""
