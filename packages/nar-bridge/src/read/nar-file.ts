import { encodeNixbase32 } from "@tvix/nix-compat";
import type { FastifyReply, FastifyRequest } from "fastify";
import { compressionOfName } from "../compression/compression.ts";
import { type NarFileName, noSuchFile } from "../http/paths.ts";
import type { Bridge } from "../options.ts";
import type { PullThrough } from "../upstream/pull-through.ts";
import { liveForm, plainForm, zstdForm } from "./nar-forms.ts";
import { sendNar, sendPlainNar } from "./send-nar.ts";

/**
 * Answers for a file in `nar/`: by the hash of the NAR, without compression and as zstd, or by
 * the hash of a file that was uploaded, compressed as that one was. A client that has uploaded
 * a path remembers its own narinfo, and asks for the file named there.
 */
export async function sendNarFile(
  bridge: Bridge,
  pullThrough: PullThrough | undefined,
  { hash, compression }: NarFileName,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { narIndex, limits } = bridge;
  const file = encodeNixbase32(hash.digest);
  const isHead = request.method === "HEAD";
  const uploaded = await narIndex.getFile(hash);
  const known = await narIndex.get(uploaded?.narHash ?? hash);
  // Whoever asks before an upload relies on it from now on.
  if (isHead && known?.lasting === false) await narIndex.put(known);
  const nar = known ?? (isHead ? undefined : await pullThrough?.nar(hash));
  if (nar === undefined) throw noSuchFile(`the NAR ${file}`);

  const name = encodeNixbase32(nar.narHash.digest);
  const { narSize, zstdSize } = await bridge.narLengths.lengths(nar.node);
  if (narSize !== nar.narSize) throw noSuchFile(`the NAR ${file}`);
  const zstd = zstdForm(bridge, nar.node, name, zstdSize);
  // Nix calls a file `.nar` that it has compressed with gzip.
  const form = compressionOfName(uploaded?.compression ?? compression);
  switch (form) {
    case "none": {
      const plain = plainForm(bridge, nar.node, name, narSize);
      return await sendPlainNar(request, reply, plain, zstd, limits.stallMs);
    }
    case "xz":
    case "gzip":
    case "br":
      return await sendNar(request, reply, liveForm(bridge, nar.node, form), limits.stallMs);
    default:
      // Nix tells zstd and bzip2 apart by their first bytes, and asks for bzip2 only what it has
      // uploaded like that.
      if (zstd === undefined) throw noSuchFile(`the NAR ${file} with compression ${form}`);
      return await sendNar(request, reply, zstd, limits.stallMs);
  }
}
