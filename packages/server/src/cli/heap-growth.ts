import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { QuietHeap } from "./quiet-heap.ts";

/**
 * What the heap and its buffers may come to before the process looks for garbage as hard as it
 * can, in bytes. Code, the database and the threads take some 170 MiB beside it.
 */
const ROOM_BYTES = 192 << 20;

/** The same for all memory of the process, in bytes. */
const MEMORY_BYTES = 400 << 20;

/** Bounds of how much the heap may grow until the next collection, in percent of what is alive. */
const LEAST_PERCENT = 10;
const MOST_PERCENT = 100;

/** The same where buffers are not part of it: Node 22 has not got the flag, and complains on stderr. */
const PERCENT_WITHOUT_BUFFERS = 50;

/** How often the growth is fitted to what is alive, in milliseconds. */
const INTERVAL_MS = 100;

/** The least of so many readings is about what is alive: the others have garbage in them. */
const READINGS = 5;

/**
 * Has this process look for garbage when its heap has grown by a part of what is alive, buffers
 * included: by a smaller part, the less room is left. V8 otherwise lets a heap of little content
 * grow to several times that, and runs a full collection for every 64 MiB of buffers, however
 * many there are for good reason. And where nothing is asked of it any more it looks for what the busy time has left.
 *
 * At run time and not on the command line, where an engine that has no such flags would not start.
 */
export function limitHeapGrowth(): void {
  const [major = 0] = process.versions.node.split(".").map(Number);
  if (major < 24) {
    setGrowth(PERCENT_WITHOUT_BUFFERS);
    return;
  }
  setFlagsFromString("--external-memory-accounted-in-global-limit");
  const quiet = new QuietHeap();
  const held: number[] = [];
  let percent: number | undefined;
  const adapt = () => {
    const reading = memoryUsage();
    if (reading === undefined) return;
    const { heapUsed, external, rss } = reading;
    held.push(heapUsed + external);
    if (held.length > READINGS) held.shift();
    const fitting = heapGrowthPercent(Math.min(...held), rss);
    if (fitting !== percent) setGrowth(fitting);
    percent = fitting;
    if (quiet.note(heapUsed + external)) collect();
  };
  adapt();
  setInterval(adapt, INTERVAL_MS).unref();
}

let gc: (() => void) | undefined;

/** Collects garbage at once, without going on meanwhile. */
function collect(): void {
  if (gc === undefined) {
    setFlagsFromString("--expose-gc");
    gc = runInNewContext("gc") as () => void;
  }
  gc();
}

/** Undefined where it cannot be read, as when the process has as many files open as it may. */
function memoryUsage(): NodeJS.MemoryUsage | undefined {
  try {
    return process.memoryUsage();
  } catch {
    return undefined;
  }
}

/**
 * How much the heap may grow, in percent of what is alive in it, to stay within its room. What is
 * alive tells more than what the system has given to the process, which keeps what it once needed.
 *
 * @param alive bytes of the heap and of its buffers
 * @param memory bytes that the process has in all
 */
export function heapGrowthPercent(alive: number, memory: number): number {
  if (memory > MEMORY_BYTES) return LEAST_PERCENT;
  const percent = Math.round((100 * (ROOM_BYTES - alive)) / alive);
  return Math.min(MOST_PERCENT, Math.max(LEAST_PERCENT, percent));
}

function setGrowth(percent: number): void {
  setFlagsFromString(`--heap-growing-percent=${percent}`);
}
