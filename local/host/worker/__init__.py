"""The Python worker: it indexes `function_app.py` and runs its functions.

Nothing here knows hubs, routes, keys, retries or output services: as in Azure, those are the
listener's. The rules follow azure-functions-runtime 1.3.0, the library of Azure's Python 3.13
worker; a test compares the two.
"""
