// Waits for what the clients report.

import { setTimeout as pause } from "node:timers/promises";

const SECONDS = 30;

export async function until(condition, what, state = () => "") {
  const deadline = Date.now() + SECONDS * 1000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited ${SECONDS} s in vain for ${what} ${state()}`);
    await pause(10);
  }
}
