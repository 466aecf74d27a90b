import { encodeNixbase32 } from "@tvix/nix-compat";
import type { FastifyReply, FastifyRequest } from "fastify";
import { LIVE_COMPRESSIONS } from "../compression/compress.ts";
import type { Compression } from "../compression/compression.ts";
import { type NarFileName, noSuchFile } from "../http/paths.ts";
import type { Bridge } from "../options.ts";
import type { PullThrough } from "../upstream/pull-through.ts";
import type { LiveForms } from "./live-forms.ts";
import { plainForm, zstdForm } from "./nar-forms.ts";
import { noticingDamage } from "./notice-damage.ts";
import { sendNar, sendPlainNar } from "./send-nar.ts";

/** What files in `nar/` are made from. */
export interface NarFileSources {
  readonly bridge: Bridge;
  readonly liveForms: LiveForms;
  readonly pullThrough: PullThrough | undefined;
}

/** Compressions that Nix has no suffix for: it calls a file `.nar` that it has compressed with one. */
const NAMELESS: readonly Compression[] = ["gzip", "lzma"];

/** How a file is compressed that is called `.nar`. */
function nameless(uploaded: string | undefined): Compression {
  return NAMELESS.find((one) => one === uploaded) ?? "none";
}

/**
 * Answers for a file in `nar/`: by the hash of the NAR, or by that of a file that was uploaded. A
 * client that has uploaded a path remembers its own narinfo, and asks for the file named there.
 * What is sent is compressed as the name says, or else it is not there.
 */
export async function sendNarFile(
  { bridge, liveForms, pullThrough }: NarFileSources,
  { hash, compression }: NarFileName,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { narIndex, limits } = bridge;
  const file = encodeNixbase32(hash.digest);
  const isHead = request.method === "HEAD";
  const uploaded = await narIndex.getFile(hash);
  const known = await narIndex.get(uploaded?.narHash ?? hash);
  // Whoever asks before an upload relies on it from now on; it goes on to be known for a while anyway.
  if (isHead && known?.lasting === false) await narIndex.put(known).catch(() => {});
  const nar = known ?? (isHead ? undefined : await pullThrough?.nar(hash));
  if (nar === undefined) throw noSuchFile(`the NAR ${file}`);

  const form = compression === "none" ? nameless(uploaded?.compression) : compression;
  if (uploaded !== undefined && uploaded.compression !== form) {
    throw noSuchFile(`the NAR ${file} with compression ${form}`);
  }
  const name = encodeNixbase32(nar.narHash.digest);
  return await noticingDamage(bridge, nar.node, async () => {
    const { narSize, zstdSize } = await bridge.narLengths.lengths(nar.node);
    if (narSize !== nar.narSize) throw noSuchFile(`the NAR ${file}`);
    const zstd = zstdForm(bridge, nar.node, name, zstdSize);
    if (form === "none") {
      const plain = plainForm(bridge, nar.node, name, narSize);
      return await sendPlainNar(request, reply, plain, zstd, limits.stallMs);
    }
    if (form === "zstd" && zstd !== undefined) return await sendNar(request, reply, zstd, limits.stallMs);
    const live = LIVE_COMPRESSIONS.find((one) => one === form);
    // Of bzip2 there is a decoder only.
    if (live === undefined) throw noSuchFile(`the NAR ${file} with compression ${form}`);
    return await sendNar(request, reply, liveForms.form(nar.node, name, live), limits.stallMs);
  });
}
