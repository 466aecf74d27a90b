import { mkdir, open, writeFile } from "node:fs/promises";
import { join } from "node:path";

const MIB = 1 << 20;

/** A tree that people have. */
export interface Shape {
  readonly make: (root: string) => Promise<void>;
  /** A file in it. */
  readonly at: string;
}

/** By what the table calls them. */
export const SHAPES = {
  "100,000 files": { make: async (root) => await files(root, 100, 1000), at: "7/7" },
  "20,000 directories": { make: async (root) => await directories(root, 20_000), at: "77/file" },
  "200 files of 6 MB": { make: async (root) => await largeFiles(root, 200, 6_000_000), at: "7" },
  "100,000 entries": { make: async (root) => await entries(root, 100_000), at: "some-file-name-000007.txt" },
  "60 levels": { make: async (root) => await levels(root, 60), at: `${"d/".repeat(59)}file` },
  "4 GiB with holes": { make: async (root) => await sparse(root, 4096 * MIB), at: "sparse" },
  "20 GiB with holes": { make: async (root) => await sparse(root, 20_480 * MIB), at: "sparse" },
} as const satisfies Readonly<Record<string, Shape>>;

async function files(root: string, folders: number, each: number): Promise<void> {
  for (let folder = 0; folder < folders; folder++) {
    await mkdir(join(root, `${folder}`), { recursive: true });
    await Promise.all(
      Array.from({ length: each }, (_, index) =>
        writeFile(join(root, `${folder}`, `${index}`), `${folder} ${index}\n`.repeat(1 + (index % 50))),
      ),
    );
  }
}

async function directories(root: string, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    const directory = join(root, `${index}`);
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, "file"), `${index}`);
  }
}

export async function largeFiles(root: string, count: number, length: number): Promise<void> {
  await mkdir(root);
  const contents = Buffer.alloc(length);
  for (let index = 0; index < count; index++) {
    for (let at = 0; at < length; at += 4) contents.writeUInt32LE(((at + index) * 2654435761) >>> 0, at);
    await writeFile(join(root, `${index}`), contents);
  }
}

async function entries(root: string, count: number): Promise<void> {
  await mkdir(root);
  for (let index = 0; index < count; index++) {
    await writeFile(join(root, `some-file-name-${`${index}`.padStart(6, "0")}.txt`), `${index % 1000}`);
  }
}

async function levels(root: string, depth: number): Promise<void> {
  const deepest = join(root, ..."d".repeat(depth - 1));
  await mkdir(deepest, { recursive: true });
  await writeFile(join(deepest, "file"), "at the bottom\n");
}

async function sparse(root: string, length: number): Promise<void> {
  await mkdir(root);
  const handle = await open(join(root, "sparse"), "w");
  for (let at = 0; at < length; at += length / 8) await handle.write(`at ${at}\n`, at);
  await handle.truncate(length);
  await handle.close();
}
