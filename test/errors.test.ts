import { readFileSync } from "node:fs";
import { Code } from "@connectrpc/connect";
import { CASTORE_ERROR_CODES } from "@tvix/castore";
import { STATUS_OF_ERROR } from "@tvix/castore/grpc";
import { expect, test } from "vitest";

test("docs/errors.md lists every error with its status, and no other", () => {
  const rows = readFileSync("docs/errors.md", "utf8").matchAll(
    /^\| `([A-Z_]+)` \| .+ \| `([A-Z_]+)` \| .+ \|$/gm,
  );
  const documented = [...rows].map(([, code, status]) => [code, status]);
  const actual = CASTORE_ERROR_CODES.map((code) => [code, statusName(STATUS_OF_ERROR[code])]);
  expect(documented).toEqual(actual);
});

/** InvalidArgument as INVALID_ARGUMENT. */
function statusName(code: Code): string {
  return (Code[code] as string).replace(/(?<!^)([A-Z])/g, "_$1").toUpperCase();
}
