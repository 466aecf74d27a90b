import type { Registry } from "prom-client";
import eventLoopLag from "prom-client/lib/metrics/eventLoopLag.js";
import heapSizeAndUsed from "prom-client/lib/metrics/heapSizeAndUsed.js";
import heapSpacesSizeAndUsed from "prom-client/lib/metrics/heapSpacesSizeAndUsed.js";
import osMemoryHeap from "prom-client/lib/metrics/osMemoryHeap.js";
import processCpuTotal from "prom-client/lib/metrics/processCpuTotal.js";
import processMaxFileDescriptors from "prom-client/lib/metrics/processMaxFileDescriptors.js";
import processOpenFileDescriptors from "prom-client/lib/metrics/processOpenFileDescriptors.js";
import processStartTime from "prom-client/lib/metrics/processStartTime.js";
import version from "prom-client/lib/metrics/version.js";

/** How often the delay of the event loop is measured, in milliseconds. */
const PRECISION_MS = 10;

/**
 * What the library tells of a process, one by one: its default set also watches every garbage collection,
 * which cost a sixth of the narinfos that a daemon serves, and has names that Prometheus finds wrong.
 */
export function addProcessMetrics(registry: Registry): void {
  for (const add of [
    processCpuTotal,
    processStartTime,
    osMemoryHeap,
    processOpenFileDescriptors,
    processMaxFileDescriptors,
    heapSizeAndUsed,
    heapSpacesSizeAndUsed,
    version,
  ]) {
    add(registry);
  }
  eventLoopLag(registry, { eventLoopMonitoringPrecision: PRECISION_MS });
}
