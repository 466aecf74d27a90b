import { setFlagsFromString } from "node:v8";

/** How much the heap may grow, in percent of what is alive, before the next collection of it. */
const HEAP_GROWING_PERCENT = 20;

/**
 * Has this process look for garbage when its memory has grown by a part of what is alive,
 * buffers included. V8 otherwise lets a heap of little content grow to several times that, and
 * runs a full collection for every 64 MiB of buffers, however many there are for good reason.
 *
 * At run time and not on the command line, where an engine that has no such flags would not start.
 */
export function limitHeapGrowth(): void {
  setFlagsFromString("--external-memory-accounted-in-global-limit");
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`);
}
