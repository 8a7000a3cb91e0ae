// Runs every check in one process and prints one JSON line a check: {"name", "error"}.
//
// Arguments: a JSON object with the connection strings. CLIENTS is the folder of the npm packages.

import { checks as cosmos } from "./cosmos.mjs";
import { checks as eventHubs } from "./event_hubs.mjs";

const SECONDS = 60; // how long one check may take; none comes near it

const connections = JSON.parse(process.argv[2]);

async function outcome(name, check) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${SECONDS} s`)), SECONDS * 1000);
  });
  try {
    await Promise.race([check(connections), late]);
    return { name, error: null };
  } catch (error) {
    return { name, error: String(error?.stack ?? error) };
  } finally {
    clearTimeout(timer);
  }
}

async function run(name, check) {
  console.log(JSON.stringify(await outcome(name, check)));
}

const all = Object.entries({ ...eventHubs, ...cosmos });
await Promise.all(all.map(([name, check]) => run(name, check)));
process.exit(0); // a client that a failed check left open would keep the process alive
