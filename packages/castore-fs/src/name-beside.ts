import { randomInt } from "node:crypto";
import { exists, type HostPath } from "./host-path.ts";

/** Begins the names of what is not complete yet, where there is room for it. */
const PREFIX = ".tvix-";

/** Characters that tell two of them apart where there is room for the prefix. */
const LEAST_RANDOM = 5;

/** The shortest name, in bytes: it has some 46,000 forms. */
const LEAST_BYTES = 4;

/** The longest name that file systems take, in bytes. */
const NAME_MAX = 255;

const ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz";

/**
 * A path for what is to come to another path, in the same directory. Its name is as long as the other,
 * save that none is shorter than 4 bytes: whatever can be below the one can be below the other,
 * however close that is to the longest path there is.
 */
export async function pathBeside(path: HostPath): Promise<HostPath> {
  for (;;) {
    const beside = candidate(path);
    if (!(await exists(beside))) return beside;
  }
}

function candidate(path: HostPath): HostPath {
  const nameStart = path.lastIndexOf(0x2f) + 1;
  const length = Math.min(path.length - nameStart, NAME_MAX);
  const prefix = length >= PREFIX.length + LEAST_RANDOM ? PREFIX : ".";
  let name = prefix;
  while (name.length < Math.max(length, LEAST_BYTES)) name += ALPHABET[randomInt(ALPHABET.length)];
  return Buffer.concat([path.subarray(0, nameStart), Buffer.from(name)]);
}
