// Microsoft's JavaScript clients on the local system: send to and read the hub `requests`, write to and
// read from Cosmos DB. In a folder of your own: npm install @azure/event-hubs @azure/cosmos
import { readFileSync } from "node:fs";
import { CosmosClient } from "@azure/cosmos";
import { EventHubConsumerClient, EventHubProducerClient, earliestEventPosition } from "@azure/event-hubs";

const { EVENT_HUBS, COSMOS } = JSON.parse(readFileSync(process.argv[2])).Values;

const producer = new EventHubProducerClient(EVENT_HUBS, "requests");
await producer.sendBatch([{ body: { from: "node" } }, { body: "text" }]);
await producer.close();

const consumer = new EventHubConsumerClient("$Default", EVENT_HUBS, "requests");
const ids = await consumer.getPartitionIds();
const kept = await Promise.all(ids.map((id) => consumer.getPartitionProperties(id)));
const count = (p) => (p.isEmpty ? 0 : p.lastEnqueuedSequenceNumber - p.beginningSequenceNumber + 1);
let left = kept.map(count).reduce((a, b) => a + b);
await new Promise((done, failed) => {
  const processEvents = async (events, { partitionId }) => {
    for (const { sequenceNumber, body } of events) console.log(`partition ${partitionId}, event ${sequenceNumber}:`, body);
    if ((left -= events.length) <= 0) done();
  };
  consumer.subscribe({ processEvents, processError: async (error) => failed(error) }, { startPosition: earliestEventPosition });
});
await consumer.close();

const items = new CosmosClient(COSMOS).database("ptu").container("dead_letters").items;
await items.upsert({ id: "from-node", bucket: "2026-12-01T02", reason: "a try" });
const { resources } = await items.query("SELECT * FROM c", { partitionKey: "2026-12-01T02" }).fetchAll();
console.log("Cosmos DB:", resources.map(({ id, reason }) => ({ id, reason })));
