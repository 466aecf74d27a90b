import { readFileSync } from "node:fs";
import { Code } from "@connectrpc/connect";
import { CASTORE_ERROR_CODES, TREE_FS_ERROR_CODES } from "@tvix/castore";
import { STATUS_OF_ERROR } from "@tvix/castore-grpc";
import { NAR_ERROR_CODES } from "@tvix/nar";
import {
  HTTP_STATUS_OF_CASTORE_ERROR,
  HTTP_STATUS_OF_STORE_ERROR,
  NAR_BRIDGE_ERROR_CODES,
  STATUS_OF_BRIDGE_ERROR,
} from "@tvix/nar-bridge";
import { NARINFO_ERROR_CODES } from "@tvix/narinfo";
import { NIX_COMPAT_ERROR_CODES } from "@tvix/nix-compat";
import { LOCAL_NIX_ERROR_CODES } from "@tvix/nix-local";
import { STORE_ERROR_CODES } from "@tvix/store";
import { STATUS_OF_STORE_ERROR } from "@tvix/store/grpc";
import { describe, expect, test } from "vitest";

/** The rows about one class of error in `docs/errors.md`, cell by cell. */
function documented(errorClass: string): string[][] {
  const sections = readFileSync("docs/errors.md", "utf8").split(/^## /m);
  const section = sections.find((text) => text.startsWith(`\`${errorClass}\``)) ?? "";
  return [...section.matchAll(/^\| (`[A-Z0-9_]+` \| .+) \|$/gm)].map(([, row]) =>
    (row as string).split(" | ").map((cell) => cell.replaceAll("`", "")),
  );
}

describe("docs/errors.md lists every error, and no other", () => {
  test.each([
    ["CastoreError", CASTORE_ERROR_CODES.map((code) => [code, statusName(STATUS_OF_ERROR[code])])],
    ["StoreError", STORE_ERROR_CODES.map((code) => [code, statusName(STATUS_OF_STORE_ERROR[code])])],
    ["NarBridgeError", NAR_BRIDGE_ERROR_CODES.map((code) => [code, `${STATUS_OF_BRIDGE_ERROR[code]}`])],
  ])("%s, with its status", (errorClass, actual) => {
    expect(documented(errorClass).map(([code, , status]) => [code, status])).toEqual(actual);
  });

  test.each([
    ["CastoreError", HTTP_STATUS_OF_CASTORE_ERROR],
    ["StoreError", HTTP_STATUS_OF_STORE_ERROR],
  ])("%s, with its status over HTTP", (errorClass, statuses: Readonly<Record<string, number>>) => {
    for (const [code = "", , , , status] of documented(errorClass)) {
      expect([code, status]).toEqual([code, `${statuses[code]}`]);
    }
  });

  test.each([
    ["NarError", NAR_ERROR_CODES],
    ["NarInfoError", NARINFO_ERROR_CODES],
    ["NixCompatError", NIX_COMPAT_ERROR_CODES],
    ["TreeFsError", TREE_FS_ERROR_CODES],
    ["LocalNixError", LOCAL_NIX_ERROR_CODES],
  ])("%s", (errorClass, actual) => {
    expect(documented(errorClass).map(([code]) => code)).toEqual(actual);
  });
});

/** InvalidArgument as INVALID_ARGUMENT. */
function statusName(code: Code): string {
  return (Code[code] as string).replace(/(?<!^)([A-Z])/g, "_$1").toUpperCase();
}
