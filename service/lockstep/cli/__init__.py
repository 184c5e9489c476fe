"""The command line.

`main` and `groups` say what commands there are, and import the module that does the work only
when it is needed, so that `--help` and completion are quick.
"""
