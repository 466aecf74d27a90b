import {
  Directory,
  MemoryBlobService,
  MemoryDirectoryService,
  type Node,
  SymlinkTarget,
} from "@tvix/castore";
import type { SecretKey } from "@tvix/narinfo";
import { StorePath } from "@tvix/nix-compat";
import { type PathInfo, RenderingNarCalculation, signaturesWith, type TrustServices } from "@tvix/store";
import type { PathInfoFixtures } from "@tvix/store/testing";

const CONTENTS = Buffer.from("what the signed path holds\n");

/** Path infos that prove themselves: their contents are there, and a key has signed them. */
export async function signedPathInfos(key: SecretKey): Promise<{
  readonly services: TrustServices;
  readonly pathInfos: PathInfoFixtures;
}> {
  const contents = {
    blobService: new MemoryBlobService(),
    directoryService: new MemoryDirectoryService(),
  };
  const narCalculationService = new RenderingNarCalculation(contents);

  const signed = async (node: Node): Promise<(path: StorePath) => PathInfo> => {
    const summary = await narCalculationService.calculateNar(node);
    return (storePath) => {
      const info = {
        storePath,
        node,
        references: [],
        ...summary,
        deriver: undefined,
        contentAddress: undefined,
      };
      return { ...info, signatures: signaturesWith([key], { ...info, signatures: [] }) };
    };
  };

  const empty = Directory.of([]);
  await contents.directoryService.put(empty);
  const digest = await contents.blobService.put(CONTENTS);
  const size = BigInt(CONTENTS.length);
  const [directory, link, file] = await Promise.all([
    signed({ type: "directory", digest: empty.digest(), size: empty.size() }),
    signed({ type: "symlink", target: SymlinkTarget.from("somewhere else") }),
    signed({ type: "file", digest, size, executable: true }),
  ]);
  const path = StorePath.from(new Uint8Array(20).fill(2), "signed");
  return {
    services: { ...contents, narCalculationService },
    pathInfos: {
      directory: directory(path),
      link: link(path),
      full(number) {
        const hash = new Uint8Array(20).fill(7);
        new DataView(hash.buffer).setUint32(0, number);
        return file(StorePath.from(hash, `signed-${number}`));
      },
    },
  };
}
