import { execFileSync } from "node:child_process";
import { accessSync, constants, existsSync, statfsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Finding, note, ok, problem } from "./finding.ts";

/** Files that a daemon under load has open, at least. */
const LEAST_FILES = 4096;

/** Space below which a disk counts as nearly full, in bytes. */
const LEAST_FREE = 5 * 2 ** 30;

/** Files that can be made, below which a disk counts as nearly full of them. */
const FEWEST_NEW_FILES = 1000;

/** Looks at the process and at the data directory of a daemon on this machine. */
export function checkMachine(data: string): readonly Finding[] {
  return [checkNode(), checkOpenFiles(), ...checkData(data)];
}

function checkNode(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const isKnown = (major === 22 && minor >= 20) || (major === 24 && minor >= 12) || major > 24;
  if (isKnown) return ok("Node.js", process.version);
  return problem("Node.js", process.version, "use 22.20, 24.12 or newer: uploads in xz need it");
}

function checkOpenFiles(): Finding {
  const subject = "open files";
  try {
    const limit = execFileSync("/bin/sh", ["-c", "ulimit -n"], { encoding: "utf8" }).trim();
    if (limit === "unlimited" || Number(limit) >= LEAST_FILES) return ok(subject, `up to ${limit}`);
    return note(
      subject,
      `up to ${limit}`,
      `few connections fit: raise it (ulimit -n, LimitNOFILE=) to ${LEAST_FILES}`,
    );
  } catch (error) {
    return note(subject, `the limit cannot be read: ${(error as Error).message}`, "look at ulimit -n");
  }
}

function checkData(data: string): readonly Finding[] {
  const subject = `data directory ${data}`;
  if (!existsSync(data)) {
    const parent = existing(dirname(data));
    const advice = `a daemon makes it: see that its user may write in ${parent}`;
    return [
      isWritable(parent)
        ? note(subject, "is not there yet", advice)
        : problem(subject, "is not there", advice),
    ];
  }
  const findings: Finding[] = [];
  if (!isWritable(data)) {
    findings.push(note(subject, "this user may not write there", "run the daemon as its owner"));
  } else if (existsSync(join(data, "index"))) findings.push(ok(subject, "holds a store"));
  else
    findings.push(note(subject, "holds no store yet", "the first command that stores something makes one"));
  if ((statSync(data).mode & 0o002) !== 0) {
    findings.push(problem(subject, "everybody on this machine may write there", `chmod o-w ${data}`));
  }
  findings.push(...checkDisk(data));
  return findings;
}

function checkDisk(data: string): Finding[] {
  const { bavail, bsize, blocks, files, ffree } = statfsSync(data);
  const free = bavail * bsize;
  const told = `${(free / 2 ** 30).toFixed(1)} GiB of ${((blocks * bsize) / 2 ** 30).toFixed(1)} are free`;
  const advice = "make room, collect (tvix-store gc), or set --max-disk-use so that reads go on";
  const findings = [free >= LEAST_FREE ? ok("disk", told) : problem("disk", told, advice)];
  // Some file systems have no table of files.
  if (files > 0 && ffree < FEWEST_NEW_FILES) {
    const text = `${ffree} files can be made on it (df -i)`;
    findings.push(problem("disk", text, "remove files there that nobody needs, of whatever size"));
  }
  return findings;
}

function existing(path: string): string {
  return existsSync(path) || path === "/" ? path : existing(dirname(path));
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
