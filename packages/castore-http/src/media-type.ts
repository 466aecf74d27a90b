import { type BlobService, CastoreError, type FileNode, utf8 } from "@tvix/castore";
import mime from "mime";

/** How much of a file is looked at to tell text from anything else, in bytes. */
const LOOKED_AT_BYTES = 4096;

/** Types that are text, whatever they begin with. */
const TEXT = /^text\/|[/+](?:json|xml|javascript|toml|yaml)$/;

/**
 * The type of a file: by what its name ends with; where that tells nothing, plain text for what begins like it.
 * Text is taken for UTF-8.
 *
 * @throws CastoreError INCOMPLETE when the file has to be looked at, and is not in the service
 */
export async function mediaTypeOf(
  name: string,
  { digest, size }: Pick<FileNode, "digest" | "size">,
  blobs: Pick<BlobService, "read">,
): Promise<string> {
  // A name without a dot inside, such as `html` or `.sh`, is no kind of file.
  const known = name.lastIndexOf(".") > 0 ? mime.getType(name) : null;
  if (known !== null) return TEXT.test(known) ? `${known}; charset=utf-8` : known;
  const contents = await blobs.read(digest, { length: LOOKED_AT_BYTES });
  if (contents === undefined) {
    throw new CastoreError("INCOMPLETE", `blob ${digest} is not in the store`, { subject: `${digest}` });
  }
  const pieces: Uint8Array[] = [];
  for await (const piece of contents) pieces.push(new Uint8Array(piece));
  const isWhole = size <= BigInt(LOOKED_AT_BYTES);
  return looksLikeText(Buffer.concat(pieces), isWhole)
    ? "text/plain; charset=utf-8"
    : "application/octet-stream";
}

/** UTF-8 without control characters that no text has; a character that was cut at the end is no fault. */
function looksLikeText(bytes: Uint8Array, isWhole: boolean): boolean {
  for (const byte of bytes) if (byte < 0x09 || (byte > 0x0d && byte < 0x20 && byte !== 0x1b)) return false;
  if (utf8(bytes) !== undefined) return true;
  return !isWhole && [1, 2, 3].some((cut) => utf8(bytes.subarray(0, bytes.length - cut)) !== undefined);
}
