import { B3Digest, Directory, mapConcurrently, PathComponent } from "@tvix/castore";
import { openStore } from "@tvix/castore-packs";
import { NixHash, StorePath } from "@tvix/nix-compat";
import { RecordPathInfoService } from "@tvix/store/records";

const AT_ONCE = 256;

/**
 * A store of directories with so many short files each, of which every second one belongs to a path; the others are garbage.
 *
 * @returns the paths
 */
export async function fillStore(
  data: string,
  directories: number,
  files: number,
): Promise<readonly StorePath[]> {
  const store = await openStore(data, { sync: false });
  const pathInfos = new RecordPathInfoService(store.database);
  const putFile = async (number: number, index: number) => {
    const contents = Buffer.from(
      `${index} of directory ${number}, with some words so that it is not all too short`,
    );
    const digest = await store.blobService.put(contents);
    const name = PathComponent.from(Buffer.from(`file-${index}`));
    return {
      name,
      node: { type: "file", digest, size: BigInt(contents.length), executable: false },
    } as const;
  };
  const putDirectory = async (number: number) => {
    const entries = Array.from({ length: files }, (_, index) => putFile(number, index));
    const directory = Directory.of(await Promise.all(entries));
    const digest = await store.directoryService.put(directory);
    if (number % 2 === 0) return undefined;
    const storePath = StorePath.from(bytesOf(`path ${number}`).subarray(0, 20), `path-${number}`);
    await pathInfos.put({
      storePath,
      node: { type: "directory", digest, size: directory.size() },
      references: [],
      narSize: 1000,
      narHash: NixHash.from("sha256", bytesOf(`NAR ${number}`)),
      signatures: [],
      deriver: undefined,
      contentAddress: undefined,
    });
    return storePath;
  };
  const paths: StorePath[] = [];
  const numbers = Array.from({ length: directories }, (_, number) => number);
  for await (const path of mapConcurrently(numbers, AT_ONCE, putDirectory))
    if (path !== undefined) paths.push(path);
  await store.close();
  return paths;
}

function bytesOf(text: string): Uint8Array {
  return B3Digest.of(Buffer.from(text)).bytes;
}
