import type { MessageInitShape } from "@bufbuild/protobuf";
import type { StatsDone, StatsDoneSchema } from "@tvix/protocol/maintenance";
import type { StatsResult } from "./maintenance.ts";

export function formatStats(stats: StatsResult): MessageInitShape<typeof StatsDoneSchema> {
  const { comparison } = stats;
  return {
    paths: BigInt(stats.paths),
    quarantined: BigInt(stats.quarantined),
    pins: BigInt(stats.pins),
    directories: BigInt(stats.directories),
    blobs: BigInt(stats.blobs),
    chunks: BigInt(stats.chunks),
    damaged: BigInt(stats.damaged),
    narBytes: BigInt(stats.narBytes),
    chunkBytes: BigInt(stats.chunkBytes),
    storedBytes: BigInt(stats.storedBytes),
    packFileBytes: BigInt(stats.files.packs),
    indexFileBytes: BigInt(stats.files.index),
    journalFileBytes: BigInt(stats.files.journal),
    ...(comparison === undefined
      ? {}
      : {
          comparison: {
            paths: BigInt(comparison.paths),
            narBytes: BigInt(comparison.narBytes),
            zstdBytes: BigInt(comparison.zstdBytes),
            xzBytes: BigInt(comparison.xzBytes),
          },
        }),
  };
}

export function parseStats(message: StatsDone): StatsResult {
  const { comparison } = message;
  return {
    paths: Number(message.paths),
    quarantined: Number(message.quarantined),
    pins: Number(message.pins),
    directories: Number(message.directories),
    blobs: Number(message.blobs),
    chunks: Number(message.chunks),
    damaged: Number(message.damaged),
    narBytes: Number(message.narBytes),
    chunkBytes: Number(message.chunkBytes),
    storedBytes: Number(message.storedBytes),
    files: {
      packs: Number(message.packFileBytes),
      index: Number(message.indexFileBytes),
      journal: Number(message.journalFileBytes),
    },
    comparison: comparison && {
      paths: Number(comparison.paths),
      narBytes: Number(comparison.narBytes),
      zstdBytes: Number(comparison.zstdBytes),
      xzBytes: Number(comparison.xzBytes),
    },
  };
}
