import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";

/** A system call of a process, as strace saw it. */
export interface TracedCall {
  readonly name: string;
  /** Everything between the brackets. */
  readonly args: string;
  /** What it has returned, without what follows that. */
  readonly result: string;
  /** Lines of the trace at which it began and ended. */
  readonly began: number;
  readonly ended: number;
}

/** Options of strace for a trace that {@link readTrace} reads: whole bytes, paths of file handles, all threads. */
export const STRACE_OPTIONS: readonly string[] = [
  "-f",
  "-qq",
  "-y",
  "-xx",
  "-v",
  "-s",
  String(64 << 20),
  "-e",
  "signal=none",
  "-e",
  "trace=openat,write,pwrite64,writev,pwritev,fsync,fdatasync,ftruncate,truncate,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat",
];

const WHOLE = /^(\d+) +(\w+)\((.*)\) += +(.*)$/s;
const BEGUN = /^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$/s;
const RESUMED = /^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += +(.*)$/s;

/** The calls that a trace tells of and that have succeeded, in the order in which they ended. */
export async function* readTrace(file: string): AsyncGenerator<TracedCall, void, undefined> {
  const begun = new Map<string, { readonly args: string; readonly at: number }>();
  let line = 0;
  for await (const text of createInterface({ input: createReadStream(file) })) {
    line++;
    const whole = WHOLE.exec(text);
    const unfinished = BEGUN.exec(text);
    const resumed = RESUMED.exec(text);
    if (whole !== null) {
      const [, , name = "", args = "", result = ""] = whole;
      if (!result.startsWith("-1")) yield { name, args, result, began: line, ended: line };
    } else if (unfinished !== null) {
      const [, pid, name, args = ""] = unfinished;
      begun.set(`${pid} ${name}`, { args, at: line });
    } else if (resumed !== null) {
      const [, pid, name = "", rest = "", result = ""] = resumed;
      const start = begun.get(`${pid} ${name}`);
      if (start === undefined || result.startsWith("-1")) continue;
      yield { name, args: start.args + rest, result, began: start.at, ended: line };
    }
  }
}

/** The path behind the first argument, a file handle. */
export function pathOfHandle(args: string): string | undefined {
  const hex = /^\d+<((?:\\x[0-9a-f]{2})*)>/.exec(args)?.[1];
  return hex === undefined ? /^\d+<([^>]*)>/.exec(args)?.[1] : bytesOf(hex).toString();
}

/** The strings among arguments. */
export function stringsOf(args: string): Buffer[] {
  return Array.from(args.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g), ([, hex = ""]) => bytesOf(hex));
}

function bytesOf(hex: string): Buffer {
  return Buffer.from(hex.replaceAll("\\x", ""), "hex");
}
