import {
  type ContentAddress,
  formatContentAddress,
  NixHash,
  parseContentAddress,
  StorePath,
} from "@tvix/nix-compat";
import { NarInfoError } from "./errors.ts";
import { type Field, splitFields } from "./fields.ts";
import { Signature } from "./keys/signature.ts";
import type { NarInfo } from "./narinfo.ts";

/** A value, and its text where it is another than we would write. */
interface Read<T> {
  readonly value: T;
  readonly text?: string;
}

/** Values by field, in the order in which the fields of a text are parsed. */
interface Draft {
  storePath?: Read<StorePath>;
  url?: Read<string>;
  compression?: Read<string | undefined>;
  fileHash?: Read<NixHash>;
  fileSize?: Read<number>;
  narHash?: Read<NixHash>;
  narSize?: Read<number>;
  references?: Read<readonly StorePath[]>;
  deriver?: Read<StorePath | undefined>;
  system?: Read<string | undefined>;
  contentAddress?: Read<ContentAddress | undefined>;
}

type Parse = (value: string, field: string) => Read<unknown>;

/** Each known field: its name in a draft, and how its value is read. */
const FIELDS: Readonly<Record<string, readonly [keyof Draft, Parse]>> = {
  StorePath: ["storePath", parseStorePath],
  URL: ["url", nonEmpty],
  Compression: ["compression", emptyMeansNone],
  FileHash: ["fileHash", parseFileHash],
  FileSize: ["fileSize", parseFileSize],
  NarHash: ["narHash", parseNarHash],
  NarSize: ["narSize", parseSize],
  References: ["references", parseReferences],
  Deriver: ["deriver", parseDeriver],
  System: ["system", emptyMeansNone],
  CA: ["contentAddress", parseAddress],
};

/**
 * Reads a narinfo, as generously as Nix does. Fields may come in any order; of one that comes
 * again the last counts, but References and CA must not say two different things. Unknown fields,
 * and signatures of unknown kinds, are kept aside. What is read is written again as the same text,
 * if its fields were in the usual order and each came once.
 *
 * Hashes may be in any form that Nix reads; that of the NAR has to be SHA-256.
 *
 * @throws NarInfoError INVALID_NARINFO that names the field
 */
export function parseNarInfo(text: string): NarInfo {
  const draft: Draft = {};
  const signatures = new Map<string, Signature>();
  const otherSignatures = new Set<string>();
  const unknownFields: Field[] = [];
  for (const [key, value] of splitFields(text)) {
    const known = Object.hasOwn(FIELDS, key) ? FIELDS[key] : undefined;
    if (key === "Sig") {
      const signature = parseSignature(value);
      if (signature === undefined) otherSignatures.add(value);
      else signatures.set(signature.toString(), signature);
    } else if (known === undefined) {
      unknownFields.push([key, value]);
    } else {
      const [name, parse] = known;
      const read = parse(value, key);
      checkAgain(key, draft[name], read);
      (draft as Record<string, unknown>)[name] = read;
    }
  }
  return finish(draft, {
    signatures: [...signatures.values()],
    otherSignatures: [...otherSignatures],
    unknownFields,
  });
}

/** What there may be any number of. */
interface Repeated {
  readonly signatures: readonly Signature[];
  readonly otherSignatures: readonly string[];
  readonly unknownFields: readonly Field[];
}

function finish(draft: Draft, { signatures, otherSignatures, unknownFields }: Repeated): NarInfo {
  const storePath = required(draft.storePath, "StorePath").value;
  const narHash = required(draft.narHash, "NarHash").value;
  const narSize = required(draft.narSize, "NarSize").value;
  const url = required(draft.url, "URL").value;
  if (narSize === 0) throw invalid("invalid NarSize: no NAR is empty");
  const texts = Object.fromEntries(
    Object.entries(FIELDS).flatMap(([key, [name]]) => {
      const read = draft[name];
      return read?.text === undefined ? [] : [[key, { text: read.text, value: read.value }]];
    }),
  );
  const quirks = {
    ...(Object.keys(texts).length > 0 ? { texts } : {}),
    ...(draft.references === undefined ? { referencesMissing: true } : {}),
    ...(otherSignatures.length > 0 ? { otherSignatures } : {}),
    ...(unknownFields.length > 0 ? { unknownFields } : {}),
  };
  return {
    storePath,
    url,
    compression: draft.compression?.value,
    fileHash: draft.fileHash?.value,
    fileSize: draft.fileSize?.value,
    narHash,
    narSize,
    references: draft.references?.value ?? [],
    deriver: draft.deriver?.value,
    system: draft.system?.value,
    signatures,
    contentAddress: draft.contentAddress?.value,
    ...(Object.keys(quirks).length > 0 ? { quirks } : {}),
  };
}

function required<T>(read: Read<T> | undefined, field: string): Read<T> {
  if (read === undefined) throw invalid(`missing field: ${field}`);
  return read;
}

/** Nix takes the last of most fields, and refuses these when they come again. */
function checkAgain(field: string, before: Read<unknown> | undefined, now: Read<unknown>): void {
  if (before === undefined || (field !== "References" && field !== "CA")) return;
  // One that says nothing is none.
  if (before.value === undefined || (Array.isArray(before.value) && before.value.length === 0)) return;
  const textOf = ({ value }: Read<unknown>) => JSON.stringify(value ?? null);
  if (textOf(before) !== textOf(now)) throw invalid(`duplicate field: ${field}`);
}

/** A value that is written as `usual`, and was read from `text`. */
function read<T>(value: T, text: string, usual: string | undefined): Read<T> {
  return text === usual ? { value } : { value, text };
}

function nonEmpty(text: string, field: string): Read<string> {
  if (text === "") throw invalid(`field ${field} may not be empty string`);
  return { value: text };
}

function emptyMeansNone(text: string): Read<string | undefined> {
  return text === "" ? { value: undefined, text } : { value: text };
}

function parseStorePath(text: string): Read<StorePath> {
  return { value: translated("invalid StorePath", () => StorePath.fromAbsolute(text)) };
}

function parseHash(text: string, field: string): Read<NixHash> {
  const hash = translated(`unable to decode ${field}`, () => NixHash.parse(text));
  return read(hash, text, hash.toString());
}

/** Of a kind that only the newest Nix has: it is about a file, and nothing rests on it. */
const NEWER_HASH = /^blake3[:-][0-9a-zA-Z+/=]+$/;

function parseFileHash(text: string, field: string): Read<NixHash | undefined> {
  return NEWER_HASH.test(text) ? { value: undefined, text } : parseHash(text, field);
}

function parseNarHash(text: string, field: string): Read<NixHash> {
  const hash = parseHash(text, field);
  if (hash.value.algorithm !== "sha256") throw invalid(`unable to decode ${field}: it is not sha256`);
  return hash;
}

function parseSize(text: string, field: string): Read<number> {
  const size = Number(text);
  if (!/^\+?[0-9]+$/.test(text) || !Number.isSafeInteger(size)) {
    throw invalid(`invalid ${field}: ${JSON.stringify(text.slice(0, 40))} is no length in bytes`);
  }
  return read(size, text, String(size));
}

/** Of no account but for progress: one that no file has is none. */
function parseFileSize(text: string, field: string): Read<number | undefined> {
  const isBeyond = /^\+?[0-9]+$/.test(text) && !Number.isSafeInteger(Number(text));
  return isBeyond ? { value: undefined, text } : parseSize(text, field);
}

function parseReferences(text: string): Read<readonly StorePath[]> {
  const names = text.split(" ").filter((name) => name !== "");
  const references = names.map((name, index) =>
    translated(`unable to parse #${index} reference`, () => StorePath.fromBaseName(name)),
  );
  return read(references, text, names.join(" "));
}

/** A deriver that is no derivation is none for us: paths that were added or copied by hand have some. */
function parseDeriver(text: string): Read<StorePath | undefined> {
  if (text === "unknown-deriver") return { value: undefined, text };
  const deriver = translated("invalid Deriver store path", () => StorePath.fromBaseName(text));
  return deriver.name.endsWith(".drv") ? { value: deriver } : { value: undefined, text };
}

/** Git trees, which PathInfos have no place for; they certify nothing here. */
const GIT_ADDRESS = /^fixed:git:/;

function parseAddress(text: string): Read<ContentAddress | undefined> {
  if (text === "") return { value: undefined, text };
  return translated("unable to parse CA field", () => {
    if (GIT_ADDRESS.test(text)) {
      NixHash.parse(text.slice("fixed:git:".length));
      return { value: undefined, text };
    }
    const address = parseContentAddress(text);
    return read(address, text, formatContentAddress(address));
  });
}

/** Undefined for one of a kind that is not known, such as of a longer key: nobody here trusts it. */
function parseSignature(text: string): Signature | undefined {
  try {
    return Signature.parse(text);
  } catch (error) {
    if (NarInfoError.is(error)) return undefined;
    throw error;
  }
}

/** Says in which field something is wrong. */
function translated<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new NarInfoError("INVALID_NARINFO", `${what}: ${(cause as Error).message}`, { cause });
  }
}

function invalid(message: string): NarInfoError {
  return new NarInfoError("INVALID_NARINFO", message);
}
