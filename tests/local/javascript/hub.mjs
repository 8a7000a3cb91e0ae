// A hub as a check uses it: producers, readers of a partition, subscribers of all of them.

import {
  BlobCheckpointStore,
  ContainerClient,
  EventHubConsumerClient,
  EventHubProducerClient,
  earliestEventPosition,
} from "./clients.mjs";
import { until } from "./until.mjs";

const GROUP = "$Default";
const PARTITIONS = ["0", "1", "2", "3"];
const NO_RETRY = { retryOptions: { maxRetries: 0 } };
const SOON = { maxWaitTimeInSeconds: 0.2, maxBatchSize: 100 };

export class Hub {
  constructor({ eventHubs, storage }, name) {
    this.name = name;
    this.connection = eventHubs;
    this.storage = storage;
    this.producer = new EventHubProducerClient(eventHubs, name, NO_RETRY);
    this.consumers = [];
  }

  consumer(...more) {
    const client = new EventHubConsumerClient(GROUP, this.connection, this.name, ...more);
    this.consumers.push(client);
    return client;
  }

  async send(events, options = {}) {
    const batch = await this.producer.createBatch(options);
    for (const event of events) {
      const data = typeof event === "object" ? event : { body: event };
      if (!batch.tryAdd(data)) throw new Error("the batch is full");
    }
    await this.producer.sendBatch(batch);
  }

  // Four events in partition 0, each in a batch of its own; what a reader gets of them.
  async fill() {
    for (const body of ["0", "1", "2", "3"]) await this.send([body], { partitionId: "0" });
    return this.read("0", earliestEventPosition, 4);
  }

  // Two events to every partition.
  async sendEverywhere(name) {
    for (const partitionId of PARTITIONS) {
      await this.send([`${name} ${partitionId} a`, `${name} ${partitionId} b`], { partitionId });
    }
  }

  everywhere(name) {
    return PARTITIONS.flatMap((id) => [`${name} ${id} a`, `${name} ${id} b`]);
  }

  // How many events each partition has been sent.
  async counts() {
    const properties = await Promise.all(
      PARTITIONS.map((id) => this.producer.getPartitionProperties(id)),
    );
    return properties.map((each) => each.lastEnqueuedSequenceNumber + 1);
  }

  // The next `count` events of a partition.
  async read(partition, startPosition, count) {
    const reader = this.follow(partition, startPosition);
    await reader.until(() => reader.events.length >= count, `${count} events`);
    await reader.close();
    return reader.events;
  }

  follow(partition, startPosition, options = {}) {
    return new Reader(this.consumer(NO_RETRY), partition, { startPosition, ...options });
  }

  // One of several that share the partitions, with checkpoints in blobs.
  async subscribe() {
    const container = new ContainerClient(this.storage, this.name);
    await container.createIfNotExists();
    const client = this.consumer(new BlobCheckpointStore(container), {
      loadBalancingOptions: {
        strategy: "greedy",
        updateIntervalInMs: 300,
        partitionOwnershipExpirationIntervalInMs: 5_000,
      },
    });
    return new Subscriber(client);
  }

  async close() {
    await Promise.all([this.producer.close(), ...this.consumers.map((each) => each.close())]);
  }
}

class Reader {
  constructor(client, partition, options) {
    this.events = [];
    this.errors = [];
    this.rounds = 0; // calls, with events or without
    this.last = null;
    this.subscription = client.subscribe(
      partition,
      {
        processEvents: async (events, context) => {
          this.rounds += 1;
          this.events.push(...events);
          if (events.length > 0) this.last = context;
        },
        processError: async (error) => {
          this.errors.push(error);
        },
      },
      { ...SOON, ...options },
    );
  }

  until(condition, what) {
    return until(condition, what, () => `${this.events.length} events, ${this.errors}`);
  }

  close() {
    return this.subscription.close();
  }
}

class Subscriber {
  constructor(client) {
    this.events = [];
    this.errors = [];
    this.owned = new Set();
    this.subscription = client.subscribe(
      {
        processInitialize: async ({ partitionId }) => {
          this.owned.add(partitionId);
        },
        processClose: async (_, { partitionId }) => {
          this.owned.delete(partitionId);
        },
        processEvents: async (events, context) => {
          this.events.push(...events);
          if (events.length > 0) await context.updateCheckpoint(events.at(-1));
        },
        processError: async (error) => {
          this.errors.push(error);
        },
      },
      { ...SOON, startPosition: earliestEventPosition },
    );
  }

  bodies() {
    return this.events.map((event) => event.body);
  }

  state() {
    return `partitions ${[...this.owned]}, events ${this.bodies()}, errors ${this.errors}`;
  }

  close() {
    return this.subscription.close();
  }
}
