"""The app's dispatcher as a consumer of its own: without Functions, on Databricks or anywhere.

Reads the hubs with azure-eventhub, hands each batch to the same `Dispatcher` that stands behind the
Functions triggers, and writes what their output bindings would write.
"""
