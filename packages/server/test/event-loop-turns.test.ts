import { expect, test } from "vitest";
import { EventLoopTurns } from "../src/admission/event-loop-turns.ts";

/** Keeps the thread busy. */
function work(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end) {
    // Nothing but time passes.
  }
}

test("whoever has many messages lets others go first between them, and each other", async () => {
  const turns = new EventLoopTurns();
  const order: string[] = [];
  let goes = true;
  const others = () => {
    order.push("other");
    if (goes) setImmediate(others);
  };
  setImmediate(others);
  const stream = async (name: string) => {
    const owner = {};
    for (let count = 0; count < 20; count++) {
      const turn = turns.message(owner);
      if (turn !== undefined) await turn;
      order.push(name);
      work(1);
    }
  };
  await Promise.all([stream("a"), stream("b")]);
  goes = false;
  expect(order.filter((name) => name === "other").length).toBeGreaterThanOrEqual(10);
  const half = order.slice(0, order.length / 2);
  expect(half).toContain("a");
  expect(half).toContain("b");
});

test("tasks run in their order, in several turns where they take long", async () => {
  const turns = new EventLoopTurns();
  const order: number[] = [];
  const connection = {};
  let seenByOthers = 0;
  setImmediate(() => {
    seenByOthers = order.length;
  });
  for (let count = 0; count < 20; count++) {
    turns.request(connection, () => {
      order.push(count);
      work(1);
    });
  }
  expect(order.length).toBeLessThan(20);
  await expect.poll(() => order).toHaveLength(20);
  expect(order).toEqual(Array.from({ length: 20 }, (_, index) => index));
  expect(seenByOthers).toBeLessThan(20);
});

test("whoever has few is not held up", () => {
  const turns = new EventLoopTurns();
  expect(turns.message({})).toBeUndefined();
});

test("who has one request does not wait for all of somebody else's, nor for connections and messages", async () => {
  const turns = new EventLoopTurns();
  const order: string[] = [];
  const note = (what: string) => () => {
    order.push(what);
    work(1);
  };
  const messages = async () => {
    for (let count = 0; count < 10; count++) {
      const turn = turns.message(messages);
      if (turn !== undefined) await turn;
      note("message")();
    }
  };
  const ofMessages = messages();
  const greedy = {};
  for (let count = 0; count < 20; count++) turns.request(greedy, note("greedy"));
  for (let count = 0; count < 20; count++) turns.connection({}, note("connection"));
  turns.request({}, note("one"));
  await ofMessages;
  await expect.poll(() => order).toHaveLength(51);
  const before = order.slice(0, order.indexOf("one"));
  expect(before.filter((what) => what === "greedy").length).toBeLessThan(8);
  expect(before.filter((what) => what === "connection").length).toBeLessThan(8);
});
