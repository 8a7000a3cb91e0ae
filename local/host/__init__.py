"""A Functions host on one machine: it runs `function_app.app` as Azure Functions would.

A listener process owns what the .NET host and its extensions own in Azure: HTTP, timers, Event
Hub consumers and their checkpoints, retry policies, output bindings. The app itself runs in one or
more Python worker processes (`local.host.worker`), which use azure-functions' own decorators and
converters. Start it with `python -m local.host --app DIR`, or in a test with `FunctionsHost`.
"""
