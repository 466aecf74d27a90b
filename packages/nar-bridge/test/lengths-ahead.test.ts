import { B3Digest, type Node } from "@tvix/castore";
import type { NarFiles } from "@tvix/store";
import { expect, test } from "vitest";
import { LengthsAhead } from "../src/write/lengths-ahead.ts";

test("measures one NAR after the other, also behind one that cannot be measured", async () => {
  const { service, asked, answer } = measuring();
  const ahead = new LengthsAhead(service);
  for (const node of [node1, node2, node3]) ahead.begin(node);
  expect(asked).toEqual([node1]);
  await answer(new Error("damaged"));
  expect(asked).toEqual([node1, node2]);
  await answer(FILES);
  await answer(FILES);
  expect(asked).toEqual([node1, node2, node3]);
  ahead.begin(node1);
  expect(asked).toEqual([node1, node2, node3, node1]);
});

test("begins nothing more once it is closed", async () => {
  const { service, asked, answer } = measuring();
  const ahead = new LengthsAhead(service);
  ahead.begin(node1);
  ahead.begin(node2);
  ahead.close();
  ahead.begin(node3);
  await answer(FILES);
  expect(asked).toEqual([node1]);
});

test("leaves what comes to measurements that are asked for when too many wait", async () => {
  const { service, asked, answer } = measuring();
  const ahead = new LengthsAhead(service);
  for (let count = 0; count < 10_001; count++) ahead.begin(node1);
  ahead.begin(node2);
  while (asked.length < 10_001) await answer(FILES);
  await answer(FILES);
  expect(asked.length).toBe(10_001);
  expect(asked).not.toContain(node2);
});

const FILES: NarFiles = { narSize: 1, zstdSize: 1, zstdHash: undefined };
const [node1, node2, node3] = ["one", "two", "three"].map(
  (text): Node => ({
    type: "directory",
    digest: B3Digest.of(new TextEncoder().encode(text)),
    size: 1n,
  }),
) as [Node, Node, Node];

/** A service that answers when it is told to. */
function measuring() {
  const asked: Node[] = [];
  let pending = Promise.withResolvers<NarFiles>();
  const service = {
    files(node: Node): Promise<NarFiles> {
      asked.push(node);
      pending = Promise.withResolvers<NarFiles>();
      return pending.promise;
    },
  };
  const answer = async (outcome: NarFiles | Error) => {
    if (outcome instanceof Error) pending.reject(outcome);
    else pending.resolve(outcome);
    await new Promise(setImmediate);
  };
  return { service, asked, answer };
}
