import { readFile } from "node:fs/promises";

/** Clock ticks of the kernel in a second, as all of Linux counts them for processes. */
const TICKS = 100;

/** Processor time that a process has taken so far, with all its threads, in seconds. */
export async function processorSeconds(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8");
  // The name, in parentheses, may have spaces in it.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** Anonymous memory of a process, without the files that it maps, in MiB. */
export async function anonymousMemory(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^RssAnon:\s+(\d+) kB/m.exec(text)?.[1]) / 1024;
}
