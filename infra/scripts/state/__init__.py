"""Rules that need to know what is there in Azure: gather once, decide without asking again.

`gather.py` asks `az`. The other modules are functions from the inputs and the situation to what is
wrong (`problems`) and what has to be known (`told`). What the person has no right to read is told
and not refused: whoever deploys in a pipeline may have few rights.
"""
