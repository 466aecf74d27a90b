import { NarError } from "../errors.ts";
import { NAR_MAX_DEPTH } from "../limits.ts";
import type { NarListing, NarListingNode } from "./listing.ts";

/**
 * Reads a listing. Members that it does not know are left out.
 *
 * @throws NarError INVALID_LISTING that says where it is wrong
 */
export function parseListing(json: string): NarListing {
  let listing: unknown;
  try {
    listing = JSON.parse(json);
  } catch (cause) {
    throw new NarError("INVALID_LISTING", "not a NAR listing: it is no JSON", { cause });
  }
  if (!isRecord(listing)) throw invalid("", "is no object");
  if (listing["version"] !== 1) throw invalid("version", "is not 1");
  return { version: 1, root: parseNode(listing["root"], "root", 1) };
}

function parseNode(value: unknown, at: string, depth: number): NarListingNode {
  if (depth > NAR_MAX_DEPTH) throw invalid(at, `lies deeper than ${NAR_MAX_DEPTH} levels`);
  if (!isRecord(value)) throw invalid(at, "is no object");
  switch (value["type"]) {
    case "regular":
      return {
        type: "regular",
        size: parseSize(value["size"], `${at}.size`),
        narOffset: parseSize(value["narOffset"], `${at}.narOffset`),
        executable: parseFlag(value["executable"], `${at}.executable`),
      };
    case "symlink":
      if (typeof value["target"] !== "string") throw invalid(`${at}.target`, "is no text");
      return { type: "symlink", target: value["target"] };
    case "directory":
      return { type: "directory", entries: parseEntries(value["entries"], `${at}.entries`, depth) };
    default:
      throw invalid(`${at}.type`, "is no type of node");
  }
}

function parseEntries(value: unknown, at: string, depth: number): Map<string, NarListingNode> {
  if (!isRecord(value)) throw invalid(at, "is no object");
  return new Map(
    Object.entries(value).map(([name, node]) => {
      if (name === "" || name === "." || name === ".." || /[/\0]/.test(name)) {
        throw invalid(at, `has the name ${JSON.stringify(name)}`);
      }
      return [name, parseNode(node, `${at}[${JSON.stringify(name)}]`, depth + 1)];
    }),
  );
}

function parseSize(value: unknown, at: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw invalid(at, "is no length in bytes");
}

function parseFlag(value: unknown, at: string): boolean {
  if (value === undefined) return false;
  if (typeof value === "boolean") return value;
  throw invalid(at, "is neither true nor false");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(at: string, why: string): NarError {
  return new NarError("INVALID_LISTING", `not a NAR listing: ${at === "" ? "it" : at} ${why}`);
}
