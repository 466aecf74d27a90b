import { formatNarInfo, withExtraFields } from "@tvix/narinfo";
import { encodeNixbase32 } from "@tvix/nix-compat";
import { indexNar, type PathInfo, StoreError, toNarInfo } from "@tvix/store";
import type { NarInfoExtras } from "../narinfo-extras/narinfo-extras.ts";
import type { Bridge } from "../options.ts";

interface KnownText {
  readonly text: string;
  /** Of the lengths that it tells. */
  readonly version: number;
}

/** Texts of path infos, as long as these are remembered themselves. */
export class NarInfoTexts {
  readonly #texts: WeakMap<PathInfo, KnownText> = new WeakMap();
  readonly #bridge: Bridge;

  constructor(bridge: Bridge) {
    this.#bridge = bridge;
  }

  /** The text of a path info that was asked for before, while it is remembered and still right. */
  known(info: PathInfo): string | undefined {
    const known = this.#texts.get(info);
    return known?.version === this.#bridge.narLengths.version ? known.text : undefined;
  }

  /**
   * The narinfo of a path whose NAR can be had. What the index tells of the tree is looked at,
   * so that no narinfo leads to a NAR that is not there.
   *
   * @throws CastoreError INCOMPLETE or CORRUPT; StoreError SIZE_MISMATCH when the path info
   *   states another length than the contents have
   */
  async of(info: PathInfo): Promise<string> {
    const { narLengths, narIndex, narInfoExtras } = this.#bridge;
    const { version } = narLengths;
    const extras = await narInfoExtras.get(info.storePath.digest, info.narHash);
    const text = await this.#format(info, extras);
    // Paths that came in another way than through this cache are not indexed yet. Their NARs can
    // be had as soon as they are, if not now.
    await indexNar(narIndex, info).catch(() => {});
    this.#texts.set(info, { text, version });
    return text;
  }

  async #format(info: PathInfo, { fields, plain }: NarInfoExtras): Promise<string> {
    const { narLengths, compression } = this.#bridge;
    if (compression === "none" || plain) return await this.#plain(info, fields);
    const { narSize, zstdSize, zstdHash } = await narLengths.files(info.node);
    checkSize(info, narSize);
    if (zstdHash === undefined) return await this.#plain(info, fields);
    const zstd = { compression: "zstd", fileHash: zstdHash, fileSize: zstdSize };
    const narInfo = { ...toNarInfo(info, `${plainUrl(info)}.zst`), ...zstd };
    return formatNarInfo(withExtraFields(narInfo, fields));
  }

  async #plain(info: PathInfo, fields: NarInfoExtras["fields"]): Promise<string> {
    const { narSize } = await this.#bridge.narLengths.lengths(info.node);
    checkSize(info, narSize);
    return formatPlainNarInfo(info, fields);
  }
}

/** The narinfo of a path that offers the NAR as it is: its file is what the narinfo tells of it anyway. */
export function formatPlainNarInfo(info: Omit<PathInfo, "node">, fields: NarInfoExtras["fields"]): string {
  const narInfo = {
    ...toNarInfo(info, plainUrl(info)),
    fileHash: info.narHash,
    fileSize: info.narSize,
  };
  return formatNarInfo(withExtraFields(narInfo, fields));
}

function plainUrl({ narHash }: Pick<PathInfo, "narHash">): string {
  return `nar/${encodeNixbase32(narHash.digest)}.nar`;
}

function checkSize(info: PathInfo, narSize: number): void {
  if (narSize === info.narSize) return;
  const text = `the contents of ${info.storePath} make a NAR of ${narSize} bytes, not ${info.narSize}`;
  throw new StoreError("SIZE_MISMATCH", text);
}
