"""The command line `./dev`.

`start`, `interpreter`, `environment`, `node` and `cli` run before anything is installed: standard
library only. What a command needs beyond that is imported inside its `run`, in the environment that
they have made.
"""
