"""`lockstep`, the command line.

`entry` is what is run; `main` has the table of commands; each is a module of `commands`, named as
it is typed.
"""
