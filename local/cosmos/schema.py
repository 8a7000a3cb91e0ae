"""The database and containers that the app expects, made at start where they are missing.

`containers.json` lists them in the shape of Cosmos DB's create-container bodies.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import orjson

from .catalog import Catalog
from .errors import CosmosError

SCHEMA: Final = Path(__file__).with_name("containers.json")
"""The app's containers."""


class SchemaError(ValueError):
    """The file cannot be read, or says something that the service refuses."""


def ensure(catalog: Catalog, *, database: str, schema: Path) -> None:
    """Create `database` and the schema's containers where they are missing.

    What exists stays as it is. Raises `SchemaError`.
    """
    try:
        definitions = orjson.loads(schema.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise SchemaError(f"--schema {schema}: {error}") from error
    if not isinstance(definitions, list):
        raise SchemaError(f"--schema {schema}: expected a JSON array of container definitions")
    _create(lambda: catalog.create_database({"id": database}), f"--database {database}")
    for definition in definitions:
        name = definition.get("id") if isinstance(definition, dict) else definition
        _create(
            lambda: catalog.create_container(database, definition),  # noqa: B023 (called at once)
            f"--schema {schema}: container {name}",
        )


def _create(create: Callable[[], object], what: str) -> None:
    try:
        create()
    except CosmosError as error:
        if error.status != 409:
            raise SchemaError(f"{what}: {error.message}") from error
