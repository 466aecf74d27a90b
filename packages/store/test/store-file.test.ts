import { ByteBudget } from "@tvix/castore";
import { expect, test } from "vitest";
import { beginFile } from "../src/nar/store-file.ts";

test("a put that fails while its file waits for room is the failure of the file, and nobody else's", async () => {
  const underWay = new ByteBudget(100);
  await underWay.acquire(100);
  const failures: unknown[] = [];
  const notice = (error: unknown) => void failures.push(error);
  process.on("unhandledRejection", notice);
  const blobs = {
    put: async () => {
      throw new Error("the disk is gone");
    },
  };
  const file = { type: "file", name: new Uint8Array(0), executable: false, size: 3 } as const;
  const beginning = beginFile(
    { ...file, contents: Uint8Array.of(1, 2, 3) },
    { blobs, underWay, signal: undefined },
    () => {},
  );
  // Long enough for the process to notice what nobody looks at.
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  underWay.release(100);
  const { stored } = await beginning;
  await expect(stored).rejects.toThrow("the disk is gone");
  process.off("unhandledRejection", notice);
  expect(failures).toEqual([]);
  expect(underWay.tryAcquire(100)).toBe(true);
});
