import { readFileSync } from "node:fs";

const INTERVAL_MS = 20;

/** Watches how much memory of its own a process has: what it maps, as LevelDB does its files, is left out. */
export class AnonymousMemory {
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;
  #peak = 0;

  constructor(pid: number) {
    this.#pid = pid;
    this.#timer = setInterval(() => this.#look(), INTERVAL_MS);
    this.#look();
  }

  /** The largest that was seen since the last call, in MiB. */
  takePeak(): number {
    this.#look();
    const peak = this.#peak;
    this.#peak = 0;
    return peak;
  }

  end(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    try {
      const status = readFileSync(`/proc/${this.#pid}/status`, "utf8");
      this.#peak = Math.max(this.#peak, Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024);
    } catch {
      // It has ended.
    }
  }
}
