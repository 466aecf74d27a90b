import type { StoreActivity, StoreSize } from "@tvix/castore-packs";
import { Counter, Gauge, type Registry } from "prom-client";

/** What a store can tell of itself. */
export interface StoreFigures {
  readonly activity: StoreActivity;
  size(): Promise<StoreSize>;
}

/** How long what a store takes on the disk is taken for what it was, in milliseconds. */
const SIZE_MS = 5000;

/**
 * Tells what a store does and takes. The ratios that people want follow: put over new bytes is what
 * deduplication saves, new over stored bytes is what compression saves.
 */
export function addStoreMetrics(registry: Registry, store: StoreFigures): void {
  const registers = [registry];
  const counter = (name: string, help: string, value: (activity: StoreActivity) => number) =>
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(value(store.activity));
      },
    });
  counter(
    "tvix_store_chunk_put_bytes_total",
    "Bytes of chunks that were put, whether they were there or not.",
    ({ chunkBytesPut }) => chunkBytesPut,
  );
  counter(
    "tvix_store_chunk_new_bytes_total",
    "Bytes of chunks that were put and were not there.",
    ({ chunkBytesNew }) => chunkBytesNew,
  );
  counter(
    "tvix_store_chunk_stored_bytes_total",
    "Bytes that new chunks take, compressed.",
    ({ chunkBytesStored }) => chunkBytesStored,
  );
  counter("tvix_store_chunk_reads_total", "Reads of chunks.", ({ chunkReads }) => chunkReads);
  counter(
    "tvix_store_chunk_reads_remembered_total",
    "Reads of chunks that were answered from memory.",
    ({ chunkReadsRemembered }) => chunkReadsRemembered,
  );
  let measured: { readonly size: Promise<StoreSize>; readonly at: number } | undefined;
  new Gauge({
    name: "tvix_store_size_bytes",
    help: "What the store takes on the disk.",
    labelNames: ["part"],
    registers,
    async collect() {
      const now = performance.now();
      if (measured === undefined || now - measured.at > SIZE_MS) measured = { size: store.size(), at: now };
      const { packs, index } = await measured.size;
      this.set({ part: "packs" }, packs);
      this.set({ part: "index" }, index);
    },
  });
}
