import { MAX_TREE_DEPTH } from "@tvix/castore";
import { NAR_MAX_DEPTH } from "@tvix/nar";
import { expect, test } from "vitest";

test("a tree that is stored is one that a NAR can hold", () => {
  expect(MAX_TREE_DEPTH).toBe(NAR_MAX_DEPTH);
});
