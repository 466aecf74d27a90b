import { letOthersRun } from "./let-others-run.ts";

/** A turn of the event loop in which nobody else has done anything takes less than this, in milliseconds. */
const IDLE_MS = 0.2;

/** Turns of which nobody has made use, one after the other, until all others count as done with. */
const IDLE_TURNS = 5;

/** Turns after which it goes on however much others have to do, so that it comes to an end. */
const MOST_TURNS = 100;

/**
 * Resolves when nobody else has anything to do, or they have had many turns: for long work that nobody waits for. What answers a
 * request takes many turns, each of which would otherwise wait for a piece of that work.
 *
 * @returns whether anybody had
 */
export async function letOthersFinish(): Promise<boolean> {
  let idle = 0;
  let hadWork = false;
  for (let turns = 0; turns < MOST_TURNS && idle < IDLE_TURNS; turns++) {
    const began = performance.now();
    await letOthersRun();
    const isIdle = performance.now() - began < IDLE_MS;
    idle = isIdle ? idle + 1 : 0;
    hadWork ||= !isIdle;
  }
  return hadWork;
}
