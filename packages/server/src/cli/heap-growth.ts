import { setFlagsFromString } from "node:v8";

/** How much the heap may grow, in percent of what is alive, before the next collection of it. */
const HEAP_GROWING_PERCENT = 20;

/** The same where buffers are not part of it: Node 22 has not got the flag, and complains on stderr. */
const HEAP_GROWING_PERCENT_WITHOUT_BUFFERS = 50;

/**
 * Has this process look for garbage when its memory has grown by a part of what is alive,
 * buffers included. V8 otherwise lets a heap of little content grow to several times that, and
 * runs a full collection for every 64 MiB of buffers, however many there are for good reason.
 *
 * At run time and not on the command line, where an engine that has no such flags would not start.
 */
export function limitHeapGrowth(): void {
  const [major = 0] = process.versions.node.split(".").map(Number);
  const countsBuffers = major >= 24;
  if (countsBuffers) setFlagsFromString("--external-memory-accounted-in-global-limit");
  const percent = countsBuffers ? HEAP_GROWING_PERCENT : HEAP_GROWING_PERCENT_WITHOUT_BUFFERS;
  setFlagsFromString(`--heap-growing-percent=${percent}`);
}
