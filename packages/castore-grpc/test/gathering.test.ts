import fc from "fast-check";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { Gathering, type GatheringOptions } from "../src/batch/gathering.ts";

type Ask = GatheringOptions<number, string>["ask"];

/** Gathers numbers, which take as many bytes as they say. */
function gathering(ask: Ask, { maxItems = 10, maxBytes = 100 } = {}): Gathering<number, string> {
  return new Gathering({ ask, bytesOf: (item) => item, maxItems, maxBytes });
}

const alone = (item: number) => async () => `alone ${item}`;

/** Questions that are answered when the test says so. */
class HeldQuestions {
  readonly asked: { items: readonly number[]; signal: AbortSignal; answer: () => void; fail: () => void }[] =
    [];

  readonly ask: Ask = async (items, signal) => {
    const { promise, resolve, reject } = Promise.withResolvers<string[]>();
    this.asked.push({
      items,
      signal,
      answer: () => resolve(items.map((item) => `together ${item}`)),
      fail: () => reject(new Error("the peer has failed")),
    });
    return await promise;
  };
}

/** Two questions that occupy all there is, until they are answered. */
function occupied(gathered: Gathering<number, string>) {
  const { promise, resolve } = Promise.withResolvers<string>();
  const running = [1, 2].map((item) => gathered.run(item, () => promise, undefined));
  return async () => {
    resolve("occupied");
    await Promise.all(running);
  };
}

describe("questions that are gathered", () => {
  test("one after the other goes alone", async () => {
    const gathered = gathering(() => Promise.reject(new Error("nobody is to be asked for many")));
    for (const item of [1, 2, 3])
      expect(await gathered.run(item, alone(item), undefined)).toBe(`alone ${item}`);
  });

  test("those that come while others are under way are asked together, within the limits", async () => {
    const held = new HeldQuestions();
    const gathered = gathering(held.ask);
    const free = occupied(gathered);
    const items = [60, 30, 20, 200, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
    const answers = items.map((item) => gathered.run(item, alone(item), undefined));
    await free();
    for (let index = 0; index < 5; index++) {
      await expect.poll(() => held.asked.length).toBeGreaterThan(index);
      held.asked[index]?.answer();
    }
    expect(await Promise.all(answers)).toEqual(items.map((item) => `together ${item}`));
    // 100 bytes, 10 items; what has more bytes is asked by itself.
    expect(held.asked.map((question) => question.items)).toEqual([
      [60, 30],
      [20],
      [200],
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
      [11],
    ]);
  });

  test("what an answer leaves out, and all of a question that fails, is asked for alone", async () => {
    const gathered = gathering(
      async (items) => {
        if (items.includes(7)) throw new Error("the peer has failed");
        return items.map((item) => (item % 2 === 0 ? undefined : `together ${item}`));
      },
      { maxItems: 3 },
    );
    const free = occupied(gathered);
    const answers = [3, 4, 5, 6, 7, 8].map((item) => gathered.run(item, alone(item), undefined));
    await free();
    expect(await Promise.all(answers)).toEqual([
      "together 3",
      "alone 4",
      "together 5",
      "alone 6",
      "alone 7",
      "alone 8",
    ]);
  });

  test("a peer that cannot be asked for many is asked that once", async () => {
    let asked = 0;
    const gathered = gathering(async () => {
      asked++;
      return undefined;
    });
    for (let round = 0; round < 3; round++) {
      const items = [1, 2, 3, 4, 5, 6];
      const answers = await Promise.all(items.map((item) => gathered.run(item, alone(item), undefined)));
      expect(answers).toEqual(items.map((item) => `alone ${item}`));
    }
    expect(asked).toBe(1);
  });

  test("who leaves is not waited for, and a question that all have left is given up", async () => {
    const held = new HeldQuestions();
    const gathered = gathering(held.ask);
    const free = occupied(gathered);
    const leaving = Array.from({ length: 4 }, () => new AbortController());
    const answers = leaving.map(({ signal }, index) => gathered.run(index, alone(index), signal));
    const reason = new Error("changed my mind");
    leaving[1]?.abort(reason);
    await expect(answers[1]).rejects.toBe(reason);
    await free();
    await expect.poll(() => held.asked.length).toBe(1);
    const [question] = held.asked;
    expect(question?.items).toEqual([0, 2, 3]);
    for (const index of [0, 2]) {
      leaving[index]?.abort(reason);
      await expect(answers[index]).rejects.toBe(reason);
    }
    expect(question?.signal.aborted).toBe(false);
    leaving[3]?.abort(reason);
    await expect(answers[3]).rejects.toBe(reason);
    expect(question?.signal.aborted).toBe(true);
    question?.fail();
    // What comes afterwards is served as ever.
    expect(await gathered.run(5, alone(5), undefined)).toBe("alone 5");
  });

  test("questions that are not answered hold up others for a second", async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const held = new HeldQuestions();
    const gathered = gathering(held.ask);
    occupied(gathered);
    const first = gathered.run(3, alone(3), undefined);
    await vi.advanceTimersByTimeAsync(900);
    expect(held.asked).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(200);
    expect(held.asked).toHaveLength(1);
    const second = gathered.run(4, alone(4), undefined);
    await vi.advanceTimersByTimeAsync(1100);
    expect(held.asked).toHaveLength(2);
    for (const { answer } of held.asked) answer();
    expect(await Promise.all([first, second])).toEqual(["together 3", "together 4"]);
  });

  test("a peer whose batches fail is asked one by one for a while", async () => {
    let asked = 0;
    const gathered = gathering(async () => {
      asked++;
      throw new Error("the peer has failed");
    });
    let atOnce = 0;
    let most = 0;
    const slow = async () => {
      most = Math.max(most, ++atOnce);
      await new Promise((resolve) => setImmediate(resolve));
      atOnce--;
      return "alone";
    };
    for (let round = 0; round < 5; round++) {
      const answers = Array.from({ length: 100 }, (_, item) => gathered.run(item % 10, slow, undefined));
      expect(new Set(await Promise.all(answers))).toEqual(new Set(["alone"]));
      if (round === 0) expect(most).toBeLessThanOrEqual(2 + 32);
    }
    expect(asked).toBeLessThan(20);
  });

  test("whatever comes when, each gets its own answer", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.record({ item: fc.integer({ min: 0, max: 60 }), fails: fc.boolean() }), {
          maxLength: 60,
        }),
        async (scheduler, runs) => {
          const failing = new Set(runs.flatMap(({ item, fails }) => (fails ? [item] : [])));
          const gathered = gathering(async (items) => {
            await scheduler.schedule(Promise.resolve(), `ask ${items}`);
            expect(items.length).toBeLessThanOrEqual(10);
            if (items.some((item) => failing.has(item))) throw new Error("the peer has failed");
            return items.map((item) => (item % 3 === 0 ? undefined : `${item}`));
          });
          const answers = runs.map(async ({ item }) => {
            await scheduler.schedule(Promise.resolve(), `run ${item}`);
            const one = () => scheduler.schedule(Promise.resolve(`${item}`), `alone ${item}`);
            return await gathered.run(item, one, undefined);
          });
          await scheduler.waitFor(Promise.all(answers));
          expect(await Promise.all(answers)).toEqual(runs.map(({ item }) => `${item}`));
        },
      ),
    );
  });
});
