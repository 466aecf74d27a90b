import { MemoryLedger } from "@tvix/castore";
import fc from "fast-check";
import { expect, test } from "vitest";

test("who comes waits in turn, and never more is held than there is", async () => {
  const runs = fc.array(fc.integer({ min: 1, max: 10 }), { minLength: 1, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(runs, async (sizes) => {
      const ledger = new MemoryLedger(10);
      const entered: number[] = [];
      await Promise.all(
        sizes.map(async (bytes, index) => {
          const held = await ledger.hold(bytes, "work");
          entered.push(index);
          expect(ledger.held).toBeLessThanOrEqual(10);
          await new Promise((resolve) => setImmediate(resolve));
          held.release();
        }),
      );
      expect(entered).toEqual(sizes.map((_, index) => index));
      expect([ledger.held, ledger.waiting]).toEqual([0, 0]);
    }),
  );
});

test("what never fits is refused at once, and what waits too long then; who comes behind goes on", async () => {
  const ledger = new MemoryLedger(10, { waitMs: 50 });
  await expect(ledger.hold(11, "work")).rejects.toMatchObject({ code: "TOO_LARGE" });
  const first = await ledger.hold(6, "work");
  const late = ledger.hold(9, "late work");
  const small = ledger.hold(4, "work");
  await expect(late).rejects.toMatchObject({
    code: "TOO_BUSY",
    message: expect.stringContaining("late work"),
  });
  (await small).release();
  first.release();
  expect(ledger.held).toBe(0);
});

test("of those who hold and wait for more, the last one is refused, and the others go on", async () => {
  const ledger = new MemoryLedger(10);
  const [one, two] = [await ledger.hold(5, "one"), await ledger.hold(5, "two")];
  const growing = one.grow(2);
  await expect(two.grow(1)).rejects.toMatchObject({ code: "TOO_BUSY" });
  two.release();
  await growing;
  await expect(one.grow(4)).rejects.toMatchObject({ code: "TOO_LARGE" });
  one.release();
  expect([ledger.held, ledger.waiting]).toEqual([0, 0]);
});

test("growing waits as well, and what is given up holds nothing", async () => {
  const ledger = new MemoryLedger(10);
  const held = await ledger.hold(4, "work");
  await held.grow(2);
  expect(held.bytes).toBe(6);
  const other = await ledger.hold(3, "other work");
  const giveUp = new AbortController();
  const growing = held.grow(4, { signal: giveUp.signal });
  expect(ledger.waiting).toBe(1);
  giveUp.abort(new Error("given up"));
  await expect(growing).rejects.toThrow("given up");
  held.release();
  held.release();
  other.release();
  expect([ledger.held, ledger.waiting]).toEqual([0, 0]);
});
