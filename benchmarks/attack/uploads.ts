import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { encodeNixbase32 } from "@tvix/nix-compat";
import type { Attack, Target } from "./attack.ts";
import { narHead } from "./nar-head.ts";

/** Answers to an upload that is no NAR, that needs too much, or that has to come again. */
const REFUSALS = [400, 413, 503];

async function upload({ url }: Target, file: Uint8Array, suffix: string): Promise<void> {
  const name = encodeNixbase32(createHash("sha256").update(file).digest());
  const body = new Uint8Array(file);
  const response = await fetch(`${url}/nar/${name}.nar${suffix}`, { method: "PUT", body });
  await response.text();
  if (!REFUSALS.includes(response.status)) throw new Error(`an attack is answered ${response.status}`);
}

function compressed(tool: string, args: readonly string[], input: Uint8Array): Uint8Array {
  return execFileSync(tool, [...args, "-c"], { input, maxBuffer: 1 << 26 });
}

const windows: Attack = {
  name: "16 uploads of xz -9 and 16 of zstd --long=27",
  async run(target, scale) {
    const noise = randomBytes(1 << 20);
    const files = [
      [compressed("xz", ["-9"], noise), ".xz"],
      [compressed("zstd", ["--long=27", "--no-content-size"], noise), ".zst"],
    ] as const;
    await Promise.all(
      Array.from({ length: 16 * scale }, () =>
        files.map(([file, suffix]) => upload(target, file, suffix)),
      ).flat(),
    );
  },
};

const bombs: Attack = {
  name: "an upload of much out of little, in each compression, 8 times",
  isLong: true,
  async run(target, scale) {
    const zeros = Buffer.concat([narHead(0x7fff_fff8), Buffer.alloc(64_000_000 * scale)]);
    const files = [
      [gzipSync(zeros), ".gz"],
      [brotliCompressSync(zeros), ".br"],
      [compressed("xz", ["-1"], zeros), ".xz"],
      [compressed("xz", ["--format=lzma", "-1"], zeros), ".lzma"],
      [compressed("zstd", ["-1"], zeros), ".zst"],
      [compressed("bzip2", ["-1"], zeros), ".bz2"],
    ] as const;
    await Promise.all(
      Array.from({ length: 8 }, () => files.map(([file, suffix]) => upload(target, file, suffix))).flat(),
    );
  },
};

/** Attacks by uploads. */
export const UPLOAD_ATTACKS: readonly Attack[] = [windows, bombs];
