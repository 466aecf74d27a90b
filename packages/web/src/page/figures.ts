import { get, lookup, maintenance } from "./client.ts";

/** What a store had on some day. */
export interface DayFigures {
  /** In milliseconds since 1970. */
  readonly time: number;
  readonly paths: number;
  readonly directories: number;
  readonly chunks: number;
  /** Of all paths. */
  readonly narBytes: number;
  /** Of all chunks, each once. */
  readonly chunkBytes: number;
  /** What these take, compressed. */
  readonly storedBytes: number;
}

/** What a store tells of itself. */
export interface Figures {
  /** Lines of `/readyz`. */
  readonly health: readonly string[];
  /** By their names, with labels as they stand there. */
  readonly metrics: ReadonlyMap<string, number>;
  /** What is kept whatever happens: its name, and what it is. Empty where this cannot be asked. */
  readonly pins: readonly string[];
  /** Day by day, the oldest first; empty where the server keeps no paths itself. */
  readonly days: readonly DayFigures[];
}

/** Asks for everything; what cannot be had is left out, but for what needs a token. */
export async function loadFigures(): Promise<Figures> {
  const [health, metrics, pins, days] = await Promise.all([
    readHealth(),
    readMetrics(),
    readPins(),
    readDays(),
  ]);
  return { health, metrics, pins, days };
}

async function readHealth(): Promise<readonly string[]> {
  // It says what is wrong also where it is not ready.
  const text = await (await fetch("/readyz")).text();
  return text.trim().split("\n");
}

async function readMetrics(): Promise<ReadonlyMap<string, number>> {
  const text = await (await get("/metrics")).text();
  const lines = text.split("\n").filter((line) => line.startsWith("tvix_store_"));
  return new Map(
    lines.map((line) => [
      line.slice(0, line.lastIndexOf(" ")),
      Number(line.slice(line.lastIndexOf(" ") + 1)),
    ]),
  );
}

async function readDays(): Promise<readonly DayFigures[]> {
  try {
    const { figures } = await lookup.listFigures({});
    return figures.map((day) => ({
      time: Number(day.timeMillis),
      paths: Number(day.paths),
      directories: Number(day.directories),
      chunks: Number(day.chunks),
      narBytes: Number(day.narBytes),
      chunkBytes: Number(day.chunkBytes),
      storedBytes: Number(day.storedBytes),
    }));
  } catch {
    // A server in front of other stores counts nothing.
    return [];
  }
}

async function readPins(): Promise<readonly string[]> {
  const pins: string[] = [];
  try {
    for await (const { pin } of maintenance.listPins({})) if (pin !== undefined) pins.push(pin.name);
  } catch {
    // A store without maintenance has none.
  }
  return pins;
}
