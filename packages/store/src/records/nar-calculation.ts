import type { Node, OperationOptions, RecordStore } from "@tvix/castore";
import type { NarCalculationService, NarSummary } from "../nar/calculate.ts";
import { CALCULATED_NARS } from "./nar-tables.ts";
import { nodeKeyOf } from "./node-key.ts";

/**
 * Keeps what was calculated as records. A node never changes, so neither does its NAR; links are too
 * short to be kept.
 */
export class RecordNarCalculation implements NarCalculationService {
  readonly #records: RecordStore;
  readonly #inner: NarCalculationService;

  constructor(records: RecordStore, inner: NarCalculationService) {
    this.#records = records;
    this.#inner = inner;
  }

  async calculateNar(root: Node, options: OperationOptions = {}): Promise<NarSummary> {
    options.signal?.throwIfAborted();
    if (root.type === "symlink") return await this.#inner.calculateNar(root, options);
    // What is damaged is calculated anew.
    const known = await CALCULATED_NARS.find(this.#records, nodeKeyOf(root));
    if (known !== undefined) return known;
    const summary = await this.#inner.calculateNar(root, options);
    await this.keep(root, summary);
    return summary;
  }

  /** Keeps what is known of a node already, from reading its NAR. */
  async keep(root: Node, summary: NarSummary): Promise<void> {
    if (root.type === "symlink") return;
    // It can be calculated again: asking for it does not fail because nothing can be written.
    await this.#records.write([CALCULATED_NARS.put(nodeKeyOf(root), summary)]).catch(() => {});
  }
}
