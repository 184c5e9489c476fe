"""`lockstep`, the command line.

`main` has the table of commands; each is a module of `commands`, named as it is typed.
"""
