import { createWriteStream } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { collect } from "@tvix/byte-stream";
import { Directory, PathComponent } from "@tvix/castore";
import { expect, onTestFinished, test } from "vitest";
import { writeZip } from "../src/index.ts";
import { emptyStore, noPython, run } from "./tools.ts";

if (noPython !== undefined) console.warn(`skipped: ${noPython}`);

test.skipIf(noPython !== undefined)(
  "more entries than 16 bits count, and contents beyond 32 bits, are told in 64",
  async () => {
    const services = emptyStore();
    const digest = await services.blobService.put(new Uint8Array(0));
    const file = { type: "file", digest, size: 0n, executable: false } as const;
    const many = Directory.of(
      Array.from({ length: 70_000 }, (_, index) => ({ name: PathComponent.from(`f${index}`), node: file })),
    );
    await services.directoryService.putMany([many]);
    const at = await mkdtemp(join(tmpdir(), "castore-archive-"));
    onTestFinished(() => rm(at, { recursive: true, force: true }));
    const root = { type: "directory", digest: many.digest(), size: many.size("doubled") } as const;
    await writeFile(join(at, "many.zip"), await collect(writeZip(root, services), 1 << 26));
    const count = await run("python3", [
      "-c",
      "import sys,zipfile; print(len(zipfile.ZipFile(sys.argv[1]).infolist()))",
      join(at, "many.zip"),
    ]);
    expect(count.toString()).toBe("70000\n");

    // Contents of zeros are made up, as a store would give them.
    const size = 2 ** 32 + 10;
    const zeros = new Uint8Array(1 << 20);
    async function* long() {
      for (let left = size; left > 0; left -= zeros.length)
        yield left < zeros.length ? zeros.subarray(0, left) : zeros;
    }
    const source = { ...services, blobService: { read: async () => long() } };
    const node = { type: "file", digest, size: BigInt(size), executable: false } as const;
    await pipeline(writeZip(node, source, { rootName: "zeros" }), createWriteStream(join(at, "long.zip")));
    const script =
      "import sys,zipfile; i=zipfile.ZipFile(sys.argv[1]).infolist()[0]; print(i.file_size, i.compress_size < 1<<28)";
    expect((await run("python3", ["-c", script, join(at, "long.zip")])).toString()).toBe(`${size} True\n`);
  },
);
