/** How a NAR may be compressed, as narinfos call it. Nix also knows compress, grzip, lrzip, lz4, lzip and lzop. */
export const COMPRESSIONS = ["none", "zstd", "xz", "bzip2", "gzip", "br", "lzma"] as const;

/** One of {@link COMPRESSIONS}. */
export type Compression = (typeof COMPRESSIONS)[number];

/** What the name of a file ends in, behind `.nar`. */
const SUFFIXES: Readonly<Record<string, Compression>> = {
  "": "none",
  ".zst": "zstd",
  ".xz": "xz",
  ".bz2": "bzip2",
  ".gz": "gzip",
  ".gzip": "gzip",
  ".br": "br",
  ".lzma": "lzma",
};

/** The compression that the end of a file name tells of, behind `.nar`; undefined for others. */
export function compressionOfSuffix(suffix: string): Compression | undefined {
  return Object.hasOwn(SUFFIXES, suffix) ? SUFFIXES[suffix] : undefined;
}

/** The compression of this name in a narinfo, undefined for others. */
export function compressionOfName(name: string): Compression | undefined {
  return COMPRESSIONS.find((known) => known === name);
}

/** The compression of a value of Content-Encoding, undefined for others. */
export function compressionOfEncoding(encoding: string | undefined): Compression | undefined {
  const name = (encoding ?? "identity").trim().toLowerCase();
  if (name === "identity" || name === "") return "none";
  if (name === "x-gzip") return "gzip";
  if (name === "x-bzip2") return "bzip2";
  return compressionOfName(name);
}
