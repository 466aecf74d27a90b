import { formatNarInfo } from "@tvix/narinfo";
import { encodeNixbase32 } from "@tvix/nix-compat";
import { type PathInfo, StoreError, toNarInfo } from "@tvix/store";
import type { Bridge } from "../options.ts";

/** Texts of path infos, as long as these are remembered themselves. */
export class NarInfoTexts {
  readonly #texts: WeakMap<PathInfo, string> = new WeakMap();
  readonly #bridge: Bridge;

  constructor(bridge: Bridge) {
    this.#bridge = bridge;
  }

  /** The text of a path info that was asked for before, while it is remembered. */
  known(info: PathInfo): string | undefined {
    return this.#texts.get(info);
  }

  /**
   * The narinfo of a path whose NAR can be had. What the index tells of the tree is looked at,
   * so that no narinfo leads to a NAR that is not there.
   *
   * @throws CastoreError INCOMPLETE or CORRUPT; StoreError SIZE_MISMATCH when the path info
   *   states another length than the contents have
   */
  async of(info: PathInfo): Promise<string> {
    const { narLengths, narIndex, compression } = this.#bridge;
    const { narSize, zstdSize } = await narLengths.lengths(info.node);
    if (narSize !== info.narSize) {
      const text = `the contents of ${info.storePath} make a NAR of ${narSize} bytes, not ${info.narSize}`;
      throw new StoreError("SIZE_MISMATCH", text);
    }
    const { narHash, node } = info;
    const indexed = await narIndex.get(narHash);
    if (indexed?.lasting !== true) await narIndex.put({ narHash, narSize, node, lasting: true });
    const file = `nar/${encodeNixbase32(narHash.digest)}.nar`;
    const text =
      compression === "zstd" && zstdSize !== undefined
        ? formatNarInfo({ ...toNarInfo(info, `${file}.zst`), compression: "zstd", fileSize: zstdSize })
        : formatNarInfo({ ...toNarInfo(info, file), fileSize: narSize });
    this.#texts.set(info, text);
    return text;
  }
}
