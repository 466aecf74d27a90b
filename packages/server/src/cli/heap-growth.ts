import { setFlagsFromString } from "node:v8";

/**
 * Memory that the process may grow to before it looks for garbage as hard as it can, in bytes.
 * Some way below what the daemon promises: what is under way goes on growing meanwhile.
 */
const ROOM_BYTES = 300 << 20;

/** Bounds of how much the heap may grow until the next collection, in percent of what is alive. */
const LEAST_PERCENT = 20;
const MOST_PERCENT = 100;

/** The same where buffers are not part of it: Node 22 has not got the flag, and complains on stderr. */
const PERCENT_WITHOUT_BUFFERS = 50;

/** How often the growth is fitted to the memory that the process has, in milliseconds. */
const INTERVAL_MS = 100;

/**
 * Has this process look for garbage when its memory has grown by a part of what is alive,
 * buffers included: the smaller a part, the less room is left. V8 otherwise lets a heap of
 * little content grow to several times that, and runs a full collection for every 64 MiB of
 * buffers, however many there are for good reason.
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
  let percent = heapGrowthPercent(process.memoryUsage());
  setGrowth(percent);
  const adapt = () => {
    const fitting = heapGrowthPercent(process.memoryUsage());
    if (fitting !== percent) setGrowth(fitting);
    percent = fitting;
  };
  setInterval(adapt, INTERVAL_MS).unref();
}

/** What the process holds, in bytes. */
type Held = Pick<NodeJS.MemoryUsage, "rss" | "heapUsed" | "external">;

/** How much the heap may grow, in percent of what it holds, for memory to stay within its room. */
export function heapGrowthPercent({ rss, heapUsed, external }: Held): number {
  const percent = Math.round((100 * (ROOM_BYTES - rss)) / (heapUsed + external));
  return Math.min(MOST_PERCENT, Math.max(LEAST_PERCENT, percent));
}

function setGrowth(percent: number): void {
  setFlagsFromString(`--heap-growing-percent=${percent}`);
}
