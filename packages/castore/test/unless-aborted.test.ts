import { setImmediate } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { unlessAborted, untilAborted } from "../src/unless-aborted.ts";

/** The failures that nobody waits for from now on: each would end a process. */
function failuresOfNobody(): unknown[] {
  const failures: unknown[] = [];
  const note = (reason: unknown) => failures.push(reason);
  process.on("unhandledRejection", note);
  onTestFinished(() => {
    process.off("unhandledRejection", note);
  });
  return failures;
}

test("what fails after it was given up is nobody's failure", async () => {
  const failures = failuresOfNobody();
  const signal = AbortSignal.abort(new Error("given up"));
  await expect(unlessAborted(Promise.reject(new Error("late")), signal)).rejects.toThrow("given up");
  await setImmediate();
  expect(failures).toEqual([]);
});

test("a source that fails when it is asked for more after the end is nobody's failure", async () => {
  const failures = failuresOfNobody();
  const controller = new AbortController();
  async function* source() {
    for (;;) {
      controller.signal.throwIfAborted();
      yield 1;
    }
  }
  const values = untilAborted(source(), controller.signal);
  await values.next();
  controller.abort(new Error("given up"));
  await expect(values.next()).rejects.toThrow("given up");
  await setImmediate();
  expect(failures).toEqual([]);
});
