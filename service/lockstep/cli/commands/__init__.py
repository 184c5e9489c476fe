"""The commands: one file each, named as it is typed, with its signature, its work, its examples.

To see their help nothing else is needed: what is slow to import is imported when they run.
"""
