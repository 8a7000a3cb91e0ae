// What the local Cosmos DB owes to @azure/cosmos: what it serves, and 400 with a name for the rest.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { CosmosClient } from "./clients.mjs";

const containerChecks = {
  "create and read": async (items) => {
    const created = await items.items.create({ id: "1", pk: "a", n: 1 });
    assert.equal(created.statusCode, 201);
    const found = await items.item("1", "a").read();
    assert.deepEqual(found.resource, created.resource);
    assert.equal(found.etag, created.etag);
    assert.equal(found.resource._etag, created.etag);
  },

  "an id is taken once in a partition": async (items) => {
    await items.items.create({ id: "1", pk: "a" });
    await items.items.create({ id: "1", pk: "b" });
    await assert.rejects(items.items.create({ id: "1", pk: "a" }), { code: 409 });
  },

  "upsert with a partition key": async (items) => {
    assert.equal((await items.items.upsert({ id: "1", pk: "a", n: 1 })).statusCode, 201);
    assert.equal((await items.items.upsert({ id: "1", pk: "a", n: 2 })).statusCode, 200);
    assert.equal((await items.item("1", "a").read()).resource.n, 2);
  },

  "upsert without a partition key": async (items) => {
    assert.equal((await items.items.upsert({ id: "1", n: 1 })).statusCode, 201);
    assert.equal((await items.items.upsert({ id: "1", n: 2 })).statusCode, 200);
    assert.equal((await items.item("1").read()).resource.n, 2);
    assert.equal((await items.item("1", "a").read()).statusCode, 404);
  },

  "a missing item is 404": async (items) => {
    const missing = await items.item("1", "a").read();
    assert.equal(missing.statusCode, 404);
    assert.equal(missing.resource, undefined);
  },

  "a stale etag is 412": async (items) => {
    const first = await items.items.create({ id: "1", pk: "a", n: 1 });
    const fresh = { accessCondition: { type: "IfMatch", condition: first.etag } };
    const second = await items.item("1", "a").replace({ id: "1", pk: "a", n: 2 }, fresh);
    assert.equal(second.statusCode, 200);
    assert.notEqual(second.etag, first.etag);
    for (const write of [
      () => items.item("1", "a").replace({ id: "1", pk: "a", n: 3 }, fresh),
      () => items.items.upsert({ id: "1", pk: "a", n: 3 }, fresh),
      () => items.item("1", "a").delete(fresh),
    ]) {
      await assert.rejects(write(), { code: 412 });
    }
    assert.equal((await items.item("1", "a").read()).resource.n, 2);
  },

  "an unchanged item is not sent again": async (items) => {
    const { etag } = await items.items.create({ id: "1", pk: "a" });
    const condition = { accessCondition: { type: "IfNoneMatch", condition: etag } };
    assert.equal((await items.item("1", "a").read(condition)).statusCode, 304);
  },

  "delete": async (items) => {
    await items.items.create({ id: "1", pk: "a" });
    assert.equal((await items.item("1", "a").delete()).statusCode, 204);
    await assert.rejects(items.item("1", "a").delete(), { code: 404 });
  },

  "a query in one partition": async (items) => {
    await fill(items, 5);
    const query = {
      query: "SELECT VALUE c.n FROM c WHERE c.n >= @from ORDER BY c.n DESC",
      parameters: [{ name: "@from", value: 2 }],
    };
    const { resources } = await items.items.query(query, { partitionKey: "a" }).fetchAll();
    assert.deepEqual(resources, [4, 3, 2]);
  },

  "a count in one partition": async (items) => {
    await fill(items, 5);
    const { resources } = await items.items
      .query("SELECT VALUE COUNT(1) FROM c", { partitionKey: "a" })
      .fetchAll();
    assert.deepEqual(resources, [5]);
  },

  "a query's pages, and on from a continuation": async (items) => {
    await fill(items, 5);
    const options = { partitionKey: "a", maxItemCount: 2 };
    const first = await items.items.query("SELECT VALUE c.n FROM c", options).fetchNext();
    assert.equal(first.resources.length, 2);
    const { continuationToken } = first;
    const rest = items.items.query("SELECT VALUE c.n FROM c", { ...options, continuationToken });
    const found = [...first.resources, ...(await rest.fetchAll()).resources];
    assert.deepEqual(found.sort(), [0, 1, 2, 3, 4]);
  },

  "all items of a partition": async (items) => {
    await fill(items, 3);
    const { resources } = await items.items.readAll({ partitionKey: "a" }).fetchAll();
    assert.deepEqual(resources.map((each) => each.n).sort(), [0, 1, 2]);
  },

  "a batch is whole or not at all": async (items) => {
    const create = (id) => ({ operationType: "Create", resourceBody: { id, pk: "a" } });
    const good = await items.items.batch([create("1"), create("2")], "a");
    assert.deepEqual(good.result.map((each) => each.statusCode), [201, 201]);
    const bad = await items.items.batch([create("3"), create("1")], "a");
    assert.deepEqual(bad.result.map((each) => each.statusCode), [424, 409]);
    assert.equal((await items.item("3", "a").read()).statusCode, 404);
  },

  "a query over partitions is refused by name": async (items) => {
    await fill(items, 2);
    for (const query of ["SELECT * FROM c", "SELECT * FROM c ORDER BY c.n"]) {
      await refused(items.items.query(query).fetchAll(), /Cross partition queries/);
    }
    await refused(items.items.readAll().fetchAll(), /Cross partition queries/);
  },

  "patch is refused by name": async (items) => {
    await fill(items, 1);
    const add = [{ op: "add", path: "/m", value: 1 }];
    await refused(items.item("0", "a").patch(add), /patch: not part of/);
  },

  "bulk operations are refused by name": async (items) => {
    const resourceBody = { id: "1", pk: "a" };
    const [only] = await items.items.executeBulkOperations([
      { operationType: "Create", resourceBody, partitionKey: "a" },
    ]);
    assert.equal(only.error.code, 400);
    assert.match(only.error.message, /bulk operations.*not part of/);
  },

  "the change feed is refused by name": async (items) => {
    const feed = items.items.getChangeFeedIterator({ changeFeedMode: "LatestVersion" });
    await refused(feed.readNext(), /change feed: not part of/);
  },

  "stored procedures are refused by name": async (items) => {
    const create = items.scripts.storedProcedures.create({ id: "p", body: "function () {}" });
    await refused(create, /sprocs: not part of/);
  },

  "throughput is refused by name": async (items) => {
    await refused(items.readOffer(), /offers: not part of/);
  },

  "a unique key is refused by name": async (items) => {
    const create = items.database.containers.create({
      id: "unique",
      partitionKey: { paths: ["/pk"] },
      uniqueKeyPolicy: { uniqueKeys: [{ paths: ["/n"] }] },
    });
    await refused(create, /uniqueKeyPolicy: not part of/);
  },
};

const otherChecks = {
  "a wrong account key is 401": async ({ cosmos }) => {
    const key = Buffer.from("another").toString("base64");
    const client = new CosmosClient(cosmos.replace(/AccountKey=[^;]*/, `AccountKey=${key}`));
    await assert.rejects(client.databases.readAll().fetchAll(), { code: 401 });
  },

  "databases and containers": async ({ cosmos }) => {
    const client = new CosmosClient(cosmos);
    const id = randomUUID();
    const { database } = await client.databases.createIfNotExists({ id });
    await database.containers.create({ id: "c", partitionKey: { paths: ["/pk"] } });
    const { statusCode } = await database.containers.createIfNotExists({
      id: "c",
      partitionKey: { paths: ["/pk"] },
    });
    assert.equal(statusCode, 200);
    const { resources } = await database.containers.readAll().fetchAll();
    assert.deepEqual(resources.map((each) => each.id), ["c"]);
    await database.delete();
    await assert.rejects(database.read(), { code: 404 });
  },
};

export const checks = {
  ...otherChecks,
  ...Object.fromEntries(
    Object.entries(containerChecks).map(([name, check]) => [name, onContainer(check)]),
  ),
};

function onContainer(check) {
  return async ({ cosmos }) => {
    const client = new CosmosClient(cosmos);
    const { database } = await client.databases.create({ id: randomUUID() });
    const { container } = await database.containers.create({
      id: "items",
      partitionKey: { paths: ["/pk"] },
    });
    await check(container);
  };
}

async function fill(items, count) {
  for (let n = 0; n < count; n += 1) await items.items.create({ id: String(n), pk: "a", n });
  await items.items.create({ id: "other", pk: "b", n: 99 });
}

async function refused(promise, message) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.code, 400);
    assert.match(error.message, message);
    return true;
  });
}
