import { setFlagsFromString } from "node:v8";

/** How much the heap may grow, in percent of what is alive, before the next collection of it. */
const HEAP_GROWING_PERCENT = 50;

/**
 * Keeps the heap of this process small: V8 lets one of little content grow to several times
 * that before it looks for garbage, and with it the buffers that only garbage refers to.
 *
 * At run time and not on the command line, where an engine that has no such flag would not start.
 */
export function limitHeapGrowth(): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`);
}
