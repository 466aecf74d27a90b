import type { Directory } from "@tvix/castore";
import { fixtures } from "@tvix/castore/testing";
import { NixHash, StorePath } from "@tvix/nix-compat";
import type { Services } from "@tvix/server";
import type { PathInfo } from "@tvix/store";

const { pseudoRandomBytes, directoryOf, directoryNode } = fixtures;

/** The text of a file of a path; in `version` 2 one path in ten is another. */
export function contentsOf(number: number, version: number): Uint8Array {
  const changed = version === 2 && number % 10 === 0;
  return Buffer.from(`${number} ${changed ? "changed" : ""}\n`.repeat(100 + (number % 50)));
}

/** A closure: each path refers to the three before it. Returns the path that leads to all. */
export async function addClosure(services: Services, count: number, version: number): Promise<PathInfo> {
  const large = pseudoRandomBytes(6_000_000, 1);
  if (version === 2) large.fill(0, 3_000_000, 3_000_010);
  const largeDigest = await services.blobService.put(large);
  const infos: PathInfo[] = [];
  for (let number = 0; number < count; number++) {
    const contents = contentsOf(number, version);
    const digest = await services.blobService.put(contents);
    const file = { type: "file", digest, size: BigInt(contents.length), executable: false } as const;
    const last = {
      type: "file",
      digest: largeDigest,
      size: BigInt(large.length),
      executable: false,
    } as const;
    const root: Directory = directoryOf(number === count - 1 ? { file, last } : { file });
    await services.directoryService.put(root);
    const pathDigest = new Uint8Array(20);
    new DataView(pathDigest.buffer).setUint32(0, number + 1 + version * 2 ** 20);
    const node = directoryNode(root);
    const references = infos.slice(-3).map(({ storePath }) => storePath);
    const known = { node, references, signatures: [], deriver: undefined, contentAddress: undefined };
    const narHash = NixHash.from("sha256", root.digest().bytes);
    const storePath = StorePath.from(pathDigest, `path-${number}`);
    infos.push(await services.pathInfoService.put({ ...known, storePath, narSize: 1000, narHash }));
  }
  return infos.at(-1) as PathInfo;
}
