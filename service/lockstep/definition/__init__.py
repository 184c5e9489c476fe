"""Definition: reading, judging and compiling what automations say.

Nothing is exported here: `lockstep apply` reads definitions, and needs none of what judges them.
"""
