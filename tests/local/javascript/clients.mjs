// The npm packages, which are not installed beside these files but in the folder CLIENTS.

import { createRequire } from "node:module";

const require = createRequire(`${process.env.CLIENTS}/`);

export const {
  EventHubConsumerClient,
  EventHubProducerClient,
  earliestEventPosition,
  latestEventPosition,
} = require("@azure/event-hubs");
export const { BlobCheckpointStore } = require("@azure/eventhubs-checkpointstore-blob");
export const { ContainerClient } = require("@azure/storage-blob");
export const { CosmosClient } = require("@azure/cosmos");
