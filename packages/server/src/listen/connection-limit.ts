import { readFileSync } from "node:fs";

/** Files that the process keeps for packs, the index and itself. */
const RESERVED_FILES = 256;

/** Connections where the system does not say how many files a process may open. */
const DEFAULT_CONNECTIONS = 4096;

const OPEN_FILES = /^Max open files\s+(\d+|unlimited)/m;

/**
 * How many connections a process can have without having no files left to open. More are closed
 * at once: without this, the next file that it opens fails, whatever that is for.
 */
export function connectionLimit(): number {
  const [, files] = OPEN_FILES.exec(limitsOfProcess()) ?? [];
  if (files === undefined || files === "unlimited") return DEFAULT_CONNECTIONS;
  return Math.max(RESERVED_FILES / 4, Number(files) - RESERVED_FILES);
}

function limitsOfProcess(): string {
  try {
    return readFileSync("/proc/self/limits", "utf8");
  } catch {
    // Not Linux.
    return "";
  }
}
