import { get, maintenance } from "./client.ts";

/** What a store tells of itself. */
export interface Figures {
  /** Lines of `/readyz`. */
  readonly health: readonly string[];
  /** By their names, with labels as they stand there. */
  readonly metrics: ReadonlyMap<string, number>;
  /** What is kept whatever happens: its name, and what it is. Empty where this cannot be asked. */
  readonly pins: readonly string[];
}

/** Asks for everything; what cannot be had is left out, but for what needs a token. */
export async function loadFigures(): Promise<Figures> {
  const [health, metrics, pins] = await Promise.all([readHealth(), readMetrics(), readPins()]);
  return { health, metrics, pins };
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

async function readPins(): Promise<readonly string[]> {
  const pins: string[] = [];
  try {
    for await (const { pin } of maintenance.listPins({})) if (pin !== undefined) pins.push(pin.name);
  } catch {
    // A store without maintenance has none.
  }
  return pins;
}
