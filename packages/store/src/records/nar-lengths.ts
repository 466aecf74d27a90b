import { ByteBudget, type Node, type OperationOptions, type RecordStore } from "@tvix/castore";
import type { NarFiles, NarLengths, NarLengthsService } from "../nar/lengths.ts";
import { NAR_LENGTHS } from "./nar-tables.ts";
import { nodeKeyOf } from "./node-key.ts";

/** Measurements under way at the same time. */
const MEASUREMENTS = 4;

/** What is known of a node: its hash may not be. */
type Known = NarLengths & Partial<NarFiles>;

/**
 * Keeps the lengths of NARs as records, each as long as it says what is so; links are too
 * short to be kept.
 */
export class RecordNarLengths implements NarLengthsService {
  readonly #records: RecordStore;
  readonly #inner: NarLengthsService;
  /** What is being measured, by kind and key: many may ask at once. */
  readonly #underWay: Map<string, Promise<Known>> = new Map();
  readonly #places = new ByteBudget(MEASUREMENTS);
  #forgotten = 0;

  constructor(records: RecordStore, inner: NarLengthsService) {
    this.#records = records;
    this.#inner = inner;
  }

  get version(): number {
    // Both only grow, so that the sum changes when either does.
    return this.#inner.version + this.#forgotten;
  }

  async lengths(root: Node, options: OperationOptions = {}): Promise<NarLengths> {
    const { narSize, zstdSize } = await this.#known("lengths", root, options);
    return { narSize, zstdSize };
  }

  async files(root: Node, options: OperationOptions = {}): Promise<NarFiles> {
    const { narSize, zstdSize, zstdHash } = await this.#known("files", root, options);
    return { narSize, zstdSize, zstdHash };
  }

  async forget(root: Node): Promise<void> {
    this.#forgotten++;
    if (root.type === "symlink") return;
    const key = nodeKeyOf(root);
    if (await NAR_LENGTHS.has(this.#records, key)) await this.#records.write([NAR_LENGTHS.remove(key)]);
  }

  async #known(what: "lengths" | "files", root: Node, options: OperationOptions): Promise<Known> {
    options.signal?.throwIfAborted();
    if (root.type === "symlink") return await this.#inner[what](root, options);
    const key = nodeKeyOf(root);
    // What is damaged, or of another version, is measured anew.
    const known = await NAR_LENGTHS.find(this.#records, key);
    const isCurrent = known?.version === this.#inner.version;
    if (isCurrent && (what === "lengths" || known.zstdHash !== undefined)) return known;
    const name = `${what} ${this.#inner.version} ${String.fromCharCode(...key)}`;
    // Whoever leaves does not take the result from the others.
    const measuring = this.#underWay.get(name) ?? this.#measure(what, root, key);
    this.#underWay.set(name, measuring);
    try {
      return await measuring;
    } finally {
      this.#underWay.delete(name);
    }
  }

  /** Runs a measurement when few others are under way: some go through gigabytes. */
  async #few<T>(measure: () => Promise<T>): Promise<T> {
    await this.#places.acquire(1);
    try {
      return await measure();
    } finally {
      this.#places.release(1);
    }
  }

  async #measure(what: "lengths" | "files", root: Node, key: Uint8Array): Promise<Known> {
    const { version } = this.#inner;
    const found: Known = await this.#few(() => this.#inner[what](root));
    const { narSize, zstdSize, zstdHash } = found;
    if (zstdSize !== undefined) {
      const measured = { version, narSize, zstdSize, zstdHash };
      // It can be measured again: what is asked for does not fail because nothing can be written.
      await this.#records.write([NAR_LENGTHS.put(key, measured)]).catch(() => {});
    }
    return found;
  }
}
