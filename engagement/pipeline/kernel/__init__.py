"""The roll-up's inner loops, compiled: rows of one day in, difference rows and people rows out.

Pure and without Django: the embedded engine and Spark's workers call the same functions. Nothing
here knows a name: words are codes, ids are hashes (rows.py). `lines` brings the rows of a title
together, `sessions` counts them (`seconds` their curves, `persons` their viewers), and `cells`
adds up what is stored.
"""
