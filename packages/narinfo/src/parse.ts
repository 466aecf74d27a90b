import {
  type ContentAddress,
  decodeHex,
  decodeNixbase32,
  NixHash,
  parseContentAddress,
  StorePath,
} from "@tvix/nix-compat";
import { NarInfoError } from "./errors.ts";
import { splitFields } from "./fields.ts";
import { Signature } from "./keys/signature.ts";
import type { NarInfo } from "./narinfo.ts";

/** Values by field, in the order in which the fields of a text are parsed. */
interface Draft {
  storePath?: StorePath;
  url?: string;
  compression?: string;
  fileHash?: ReadHash;
  fileSize?: number;
  narHash?: ReadHash;
  narSize?: number;
  references?: readonly StorePath[];
  deriver?: StorePath | "unknown";
  system?: string;
  contentAddress?: ContentAddress;
}

interface ReadHash {
  readonly hash: NixHash;
  readonly hex: boolean;
}

const UNKNOWN_DERIVER = "unknown-deriver";

/** Each known field: its name in a draft, and how its value is read. */
const FIELDS: Readonly<Record<string, readonly [keyof Draft, (value: string, field: string) => unknown]>> = {
  StorePath: ["storePath", parseStorePath],
  URL: ["url", nonEmpty],
  Compression: ["compression", nonEmpty],
  FileHash: ["fileHash", parseHash],
  FileSize: ["fileSize", parseSize],
  NarHash: ["narHash", parseHash],
  NarSize: ["narSize", parseSize],
  References: ["references", parseReferences],
  Deriver: ["deriver", parseDeriver],
  System: ["system", nonEmpty],
  CA: ["contentAddress", parseAddress],
};

/**
 * Reads a narinfo. Fields may come in any order, each but `Sig` once; unknown ones are kept
 * aside. What is read is written again as the same text, if its fields were in the usual order.
 *
 * @throws NarInfoError INVALID_NARINFO that names the field
 */
export function parseNarInfo(text: string): NarInfo {
  const draft: Draft = {};
  const signatures: Signature[] = [];
  const unknownFields: (readonly [string, string])[] = [];
  for (const [key, value] of splitFields(text)) {
    const known = Object.hasOwn(FIELDS, key) ? FIELDS[key] : undefined;
    if (key === "Sig") {
      signatures.push(parseSignature(value, signatures.length));
    } else if (known === undefined) {
      unknownFields.push([key, value]);
    } else {
      const [name, parse] = known;
      const parsed = parse(value, key);
      if (draft[name] !== undefined) throw invalid(`duplicate field: ${key}`);
      (draft as Record<string, unknown>)[name] = parsed;
    }
  }
  return finish(draft, signatures, unknownFields);
}

function finish(
  draft: Draft,
  signatures: readonly Signature[],
  unknownFields: readonly (readonly [string, string])[],
): NarInfo {
  const storePath = required(draft.storePath, "StorePath");
  const narHash = required(draft.narHash, "NarHash");
  const narSize = required(draft.narSize, "NarSize");
  const url = required(draft.url, "URL");
  if (narSize === 0) throw invalid("invalid NarSize: no NAR is empty");
  const { compression, fileHash, fileSize, references, deriver, system, contentAddress } = draft;
  const quirks = {
    ...(narHash.hex ? { narHashHex: true } : {}),
    ...(fileHash?.hex === true ? { fileHashHex: true } : {}),
    ...(deriver === "unknown" ? { unknownDeriver: true } : {}),
    ...(references === undefined ? { referencesMissing: true } : {}),
    ...(unknownFields.length > 0 ? { unknownFields } : {}),
  };
  return {
    storePath,
    url,
    compression,
    fileHash: fileHash?.hash,
    fileSize,
    narHash: narHash.hash,
    narSize,
    references: references ?? [],
    deriver: deriver === "unknown" ? undefined : deriver,
    system,
    signatures,
    contentAddress,
    ...(Object.keys(quirks).length > 0 ? { quirks } : {}),
  };
}

function required<T>(value: T | undefined, field: string): T {
  if (value === undefined) throw invalid(`missing field: ${field}`);
  return value;
}

function nonEmpty(value: string, field: string): string {
  if (value === "") throw invalid(`field ${field} may not be empty string`);
  return value;
}

function parseStorePath(value: string): StorePath {
  return translated("invalid StorePath", () => StorePath.fromAbsolute(value));
}

function parseHash(value: string, field: string): ReadHash {
  const prefix = "sha256:";
  if (!value.startsWith(prefix)) throw invalid(`missing prefix for ${field}: expected ${prefix}`);
  const digits = value.slice(prefix.length);
  return translated(`unable to decode ${field}`, () => {
    const fromHex = digits.length === 64 && digits === digits.toLowerCase() ? decodeHex(digits) : undefined;
    const hash = NixHash.from("sha256", fromHex ?? decodeNixbase32(digits));
    return { hash, hex: fromHex !== undefined };
  });
}

function parseSize(value: string, field: string): number {
  const size = Number(value);
  if (!/^\+?[0-9]+$/.test(value) || !Number.isSafeInteger(size)) {
    throw invalid(`invalid ${field}: ${JSON.stringify(value.slice(0, 40))} is no length in bytes`);
  }
  return size;
}

function parseReferences(value: string): readonly StorePath[] {
  if (value === "") return [];
  return value
    .split(" ")
    .map((reference, index) =>
      translated(`unable to parse #${index} reference`, () => StorePath.fromBaseName(reference)),
    );
}

function parseDeriver(value: string): StorePath | "unknown" {
  if (value === UNKNOWN_DERIVER) return "unknown";
  const deriver = translated("invalid Deriver store path", () => StorePath.fromBaseName(value));
  if (!deriver.name.endsWith(".drv")) throw invalid("invalid Deriver store path, must end with .drv");
  return deriver;
}

function parseAddress(value: string): ContentAddress {
  return translated("unable to parse CA field", () => parseContentAddress(value));
}

function parseSignature(value: string, index: number): Signature {
  return translated(`unable to parse signature #${index}`, () => Signature.parse(value));
}

/** Says in which field something is wrong. */
function translated<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new NarInfoError("INVALID_NARINFO", `${what}: ${(cause as Error).message}`, cause);
  }
}

function invalid(message: string): NarInfoError {
  return new NarInfoError("INVALID_NARINFO", message);
}
