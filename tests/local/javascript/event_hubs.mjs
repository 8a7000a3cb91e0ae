// What the local Event Hubs owes to @azure/event-hubs. Most checks have a hub of four partitions to
// themselves, named after the check.

import assert from "node:assert/strict";
import { EventHubProducerClient, earliestEventPosition, latestEventPosition } from "./clients.mjs";
import { Hub } from "./hub.mjs";
import { until } from "./until.mjs";

const bodies = (events) => events.map((event) => event.body);

const hubChecks = {
  "hub properties": async (hub) => {
    const properties = await hub.producer.getEventHubProperties();
    assert.equal(properties.name, hub.name);
    assert.deepEqual(properties.partitionIds, ["0", "1", "2", "3"]);
    assert.ok(properties.createdOn instanceof Date);
    assert.deepEqual(await hub.consumer().getPartitionIds(), ["0", "1", "2", "3"]);
  },

  "partition properties": async (hub) => {
    const before = await hub.producer.getPartitionProperties("2");
    assert.equal(before.isEmpty, true);
    assert.equal(before.lastEnqueuedSequenceNumber, -1);
    await hub.send(["one", "two"], { partitionId: "2" });
    const after = await hub.producer.getPartitionProperties("2");
    assert.equal(after.isEmpty, false);
    assert.equal(after.beginningSequenceNumber, 0);
    assert.equal(after.lastEnqueuedSequenceNumber, 1);
    assert.ok(Math.abs(after.lastEnqueuedOnUtc - Date.now()) < 60_000);
  },

  "a batch keeps its events, in order": async (hub) => {
    const sent = {
      body: { nested: [1, "zwei", null] },
      properties: { tenant: "a", number: 7 },
      messageId: "m1",
      correlationId: "c1",
      contentType: "application/json",
    };
    await hub.send([sent, { body: "text" }, { body: Buffer.from([0, 255]) }], { partitionId: "0" });
    const [first, second, third] = await hub.read("0", earliestEventPosition, 3);
    for (const name of Object.keys(sent)) assert.deepEqual(first[name], sent[name]);
    assert.equal(second.body, "text");
    assert.deepEqual([...third.body], [0, 255]);
    assert.deepEqual([first, second, third].map((event) => event.sequenceNumber), [0, 1, 2]);
    assert.ok(first.enqueuedTimeUtc instanceof Date);
  },

  "events of a partition key share a partition": async (hub) => {
    for (const body of ["a", "b", "c"]) await hub.send([body], { partitionKey: "tenant 7" });
    const counts = await hub.counts();
    assert.deepEqual([...counts].sort(), [0, 0, 0, 3]);
    const partition = String(counts.indexOf(3));
    const events = await hub.read(partition, earliestEventPosition, 3);
    assert.deepEqual(events.map((event) => event.body), ["a", "b", "c"]);
    assert.deepEqual(events.map((event) => event.partitionKey), Array(3).fill("tenant 7"));
  },

  "events of a partition id go there": async (hub) => {
    await hub.send(["a", "b"], { partitionId: "3" });
    assert.deepEqual(await hub.counts(), [0, 0, 0, 2]);
  },

  "events with neither go round": async (hub) => {
    for (let index = 0; index < 8; index += 1) await hub.send([index]);
    assert.deepEqual(await hub.counts(), [2, 2, 2, 2]);
  },

  "a full batch takes no more": async (hub) => {
    const batch = await hub.producer.createBatch();
    assert.equal(batch.maxSizeInBytes, 1_048_576);
    assert.equal(batch.tryAdd({ body: "x".repeat(1_000_000) }), true);
    assert.equal(batch.tryAdd({ body: "x".repeat(100_000) }), false);
    await hub.producer.sendBatch(batch);
  },

  "a message of more than a mebibyte is refused": async (hub) => {
    const large = [{ body: "x".repeat(2_000_000) }];
    await assert.rejects(hub.producer.sendBatch(large), { code: "MessageTooLargeError" });
    assert.deepEqual(await hub.counts(), [0, 0, 0, 0]);
  },

  "read from the earliest": async (hub) => {
    const events = await hub.fill();
    assert.deepEqual(bodies(events), ["0", "1", "2", "3"]);
  },

  "read from an offset": async (hub) => {
    const events = await hub.fill();
    const { offset } = events[1];
    assert.deepEqual(bodies(await hub.read("0", { offset }, 2)), ["2", "3"]);
    const inclusive = { offset, isInclusive: true };
    assert.deepEqual(bodies(await hub.read("0", inclusive, 3)), ["1", "2", "3"]);
  },

  "read from a sequence number": async (hub) => {
    await hub.fill();
    assert.deepEqual(bodies(await hub.read("0", { sequenceNumber: 1 }, 2)), ["2", "3"]);
    const inclusive = { sequenceNumber: 1, isInclusive: true };
    assert.deepEqual(bodies(await hub.read("0", inclusive, 3)), ["1", "2", "3"]);
  },

  "read from a time": async (hub) => {
    const events = await hub.fill();
    const enqueuedOn = events[1].enqueuedTimeUtc;
    const later = events.filter((event) => event.enqueuedTimeUtc > enqueuedOn);
    assert.equal(later.length, 2); // the server's clock is never twice at the same millisecond
    assert.deepEqual(bodies(await hub.read("0", { enqueuedOn }, 2)), bodies(later));
  },

  "read what comes from now on": async (hub) => {
    await hub.fill();
    const reading = hub.follow("0", latestEventPosition);
    await reading.until(() => reading.rounds > 0, "a first look that finds nothing");
    await hub.send(["new"], { partitionId: "0" });
    await reading.until(() => reading.events.length > 0, "the new event");
    await reading.close();
    assert.deepEqual(bodies(reading.events), ["new"]);
  },

  "an offset that does not exist is refused": async (hub) => {
    await hub.fill();
    const reading = hub.follow("0", { offset: "999999" });
    await reading.until(() => reading.errors.length > 0, "an error");
    await reading.close();
    assert.equal(reading.errors[0].code, "ArgumentError");
  },

  "the last event is tracked": async (hub) => {
    await hub.fill();
    const reading = hub.follow("0", earliestEventPosition, {
      trackLastEnqueuedEventProperties: true,
    });
    await reading.until(() => reading.events.length === 4, "four events");
    await reading.close();
    assert.equal(reading.last.lastEnqueuedEventProperties.sequenceNumber, 3);
  },

  "two subscribers share the partitions": async (hub) => {
    const one = await hub.subscribe();
    const two = await hub.subscribe();
    await until(() => one.owned.size === 2 && two.owned.size === 2, "a share of 2:2", () => `${one.state()}; ${two.state()}`);
    await hub.sendEverywhere("shared");
    // each at least once: on a slow machine a partition may change its owner, and come again
    const seen = () => [...new Set([...one.bodies(), ...two.bodies()])].sort();
    await until(() => seen().length === 8, "every event", () => `${one.state()}; ${two.state()}`);
    assert.deepEqual(seen(), hub.everywhere("shared"));
    await one.close();
    await two.close();
  },

  "a subscriber takes over where another left off": async (hub) => {
    const one = await hub.subscribe();
    await until(() => one.owned.size === 4, "all partitions", () => one.state());
    await hub.sendEverywhere("before");
    await until(() => one.bodies().length === 8, "the first events", () => one.state());
    await one.close();
    await hub.sendEverywhere("after");
    const two = await hub.subscribe();
    await until(() => two.bodies().length >= 8, "the second events", () => two.state());
    await two.close();
    assert.deepEqual(two.bodies().sort(), hub.everywhere("after"));
  },

  "a higher owner level disconnects the older reader": async (hub) => {
    const older = hub.follow("0", earliestEventPosition, { ownerLevel: 1 });
    await older.until(() => older.rounds > 0, "the older reader at work");
    const newer = hub.follow("0", earliestEventPosition, { ownerLevel: 2 });
    await older.until(() => older.errors.length > 0, "the older reader's error");
    assert.equal(older.errors[0].code, "ReceiverDisconnectedError");
    await hub.send(["for the newer"], { partitionId: "0" });
    await newer.until(() => newer.events.length > 0, "the newer reader's event");
    await Promise.all([older.close(), newer.close()]);
    assert.deepEqual(older.events, []);
  },

  "a lower owner level is refused": async (hub) => {
    const first = hub.follow("0", earliestEventPosition, { ownerLevel: 2 });
    await first.until(() => first.rounds > 0, "the first reader at work");
    const second = hub.follow("0", earliestEventPosition, { ownerLevel: 1 });
    await second.until(() => second.errors.length > 0, "the second reader's error");
    assert.equal(second.errors[0].code, "ReceiverDisconnectedError");
    await Promise.all([first.close(), second.close()]);
  },
};

const otherChecks = {
  "an unknown hub is named": async ({ eventHubs }) => {
    const producer = new EventHubProducerClient(eventHubs, "no-such-hub", {
      retryOptions: { maxRetries: 0 },
    });
    await assert.rejects(producer.getEventHubProperties(), { code: "MessagingEntityNotFoundError" });
    await assert.rejects(producer.sendBatch([{ body: 1 }]), {
      code: "MessagingEntityNotFoundError",
    });
    await producer.close();
  },

  "a wrong key is refused": async ({ eventHubs }) => {
    const wrong = eventHubs.replace(/SharedAccessKey=[^;]*/, "SharedAccessKey=wrong");
    const producer = new EventHubProducerClient(wrong, "hub-properties", {
      retryOptions: { maxRetries: 0 },
    });
    await assert.rejects(producer.sendBatch([{ body: 1 }]), /InvalidSignature|Unauthorized/);
    await producer.close();
  },
};

export const checks = {
  ...otherChecks,
  ...Object.fromEntries(
    Object.entries(hubChecks).map(([name, check]) => [name, onHub(name, check)]),
  ),
};

function onHub(name, check) {
  return async (connections) => {
    const hub = new Hub(connections, name.replaceAll(/[^a-z]+/g, "-"));
    try {
      await check(hub);
    } finally {
      await hub.close();
    }
  };
}
