"""The account, its databases and containers over REST: create, read, list and delete."""

from __future__ import annotations

from typing import Any, Final

import orjson

from .calls import Answer, Call, json_answer
from .catalog import Catalog
from .errors import not_served

CONSISTENCY_LEVELS: Final = (
    "Strong",
    "BoundedStaleness",
    "Session",
    "ConsistentPrefix",
    "Eventual",
)
_RANGES_ETAG: Final = '"1"'

QUERY_ENGINE: Final = {
    "maxSqlQueryInputLength": 262_144,
    "maxJoinsPerSqlQuery": 5,
    "maxLogicalAndPerSqlQuery": 500,
    "maxLogicalOrPerSqlQuery": 500,
    "maxUdfRefPerSqlQuery": 10,
    "maxInExpressionItemsCount": 16_000,
    "queryMaxInMemorySortDocumentCount": 500,
    "maxQueryRequestTimeoutFraction": 0.9,
    "sqlAllowNonFiniteNumbers": False,
    "sqlAllowAggregateFunctions": True,
    "sqlAllowSubQuery": True,
    "sqlAllowScalarSubQuery": True,
    "allowNewKeywords": True,
    "sqlAllowLike": True,
    "sqlAllowGroupByClause": True,
    "maxSpatialQueryCells": 12,
    "spatialMaxGeometryPointCount": 256,
    "sqlDisableOptimizationFlags": 0,
    "sqlAllowTop": True,
    "enableSpatialIndexing": True,
}
"""What an account tells the SDKs of its query engine. .NET's client reads it before its first query
and throws an ArgumentException if it is empty. It says what clients may parse; this server's own
subset is smaller. Source: `MockDocumentClient.cs` of azure-cosmos-dotnet-v3."""


def account(call: Call, *, consistency: str) -> Answer:
    """`GET /`: the account as the SDK reads it first; its address is the one that was asked."""
    locations = [{"name": "Local", "databaseAccountEndpoint": call.base_url}]
    return json_answer(
        {
            "_self": "",
            "id": "local",
            "_rid": "local",
            "media": "//media/",
            "addresses": "//addresses/",
            "_dbs": "//dbs/",
            "writableLocations": locations,
            "readableLocations": locations,
            "enableMultipleWriteLocations": False,
            "userReplicationPolicy": {"minReplicaSetSize": 1, "maxReplicasetSize": 1},
            "userConsistencyPolicy": {"defaultConsistencyLevel": consistency},
            "systemReplicationPolicy": {"minReplicaSetSize": 1, "maxReplicasetSize": 1},
            "readPolicy": {"primaryReadCoefficient": 1, "secondaryReadCoefficient": 1},
            "queryEngineConfiguration": orjson.dumps(QUERY_ENGINE).decode(),
        }
    )


class Resources:
    """Databases and containers. Every method may raise `CosmosError`."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def databases(self, call: Call) -> Answer:
        """`/dbs`"""
        if call.method == "GET":
            return _feed("Databases", "", self._catalog.databases())
        _refuse_query(call, "a query on databases")
        return _resource(self._catalog.create_database(call.json()), status=201)

    def database(self, call: Call, name: str) -> Answer:
        """`/dbs/{database}`"""
        match call.method:
            case "GET":
                return _resource(self._catalog.read_database(name))
            case "DELETE":
                self._catalog.delete_database(name)
                return Answer(status=204)
        raise not_served(f"{call.method} on a database")

    def containers(self, call: Call, database: str) -> Answer:
        """`/dbs/{database}/colls`"""
        if call.method == "GET":
            rid = self._catalog.read_database(database)["_rid"]
            return _feed("DocumentCollections", rid, self._catalog.containers(database))
        _refuse_query(call, "a query on containers")
        return _resource(self._catalog.create_container(database, call.json()), status=201)

    def container(self, call: Call, database: str, name: str) -> Answer:
        """`/dbs/{database}/colls/{container}`"""
        match call.method:
            case "GET":
                return _resource(self._catalog.read_container(database, name))
            case "DELETE":
                self._catalog.delete_container(database, name)
                return Answer(status=204)
        raise not_served(f"{call.method} on a container")

    def partition_key_ranges(self, call: Call, database: str, name: str) -> Answer:
        """`…/pkranges`: one range holds everything. SDKs ask when they keep session tokens."""
        if call.method != "GET":
            raise not_served(f"{call.method} on partition key ranges")
        if call.headers.get("if-none-match") == _RANGES_ETAG:
            return Answer(status=304, headers={"etag": _RANGES_ETAG})
        container = self._catalog.container(database, name)
        key_range = {
            "_rid": container.rid,
            "id": "0",
            "_etag": _RANGES_ETAG,
            "minInclusive": "",
            "maxExclusive": "FF",
            "ridPrefix": 0,
            "_self": f"{container.self_link}pkranges/0/",
            "throughputFraction": 1,
            "status": "online",
            "parents": [],
            "_ts": 0,
        }
        answer = _feed("PartitionKeyRanges", container.rid, [key_range])
        answer.headers["etag"] = _RANGES_ETAG
        return answer


def _resource(resource: dict[str, Any], *, status: int = 200) -> Answer:
    return json_answer(resource, status=status, headers={"etag": resource["_etag"]})


def _feed(name: str, rid: str, resources: list[dict[str, Any]]) -> Answer:
    return json_answer({"_rid": rid, name: resources, "_count": len(resources)})


def _refuse_query(call: Call, what: str) -> None:
    if call.method != "POST":
        raise not_served(f"{call.method} on a feed")
    if call.flag("x-ms-documentdb-isquery") or call.headers.get("content-type", "").startswith(
        "application/query+json"
    ):
        raise not_served(what)
