/** What comes of something that takes a while: events, signs that it goes on, and its result at last. */
export type Step<E, R> =
  | { readonly type: "event"; readonly event: E }
  | { readonly type: "quiet" }
  | { readonly type: "result"; readonly result: R };

/** Events that wait for their reader before the work does. */
const WAITING_EVENTS = 100;

const SIGN_OF_LIFE_MS = 20_000;

/**
 * Runs something, and passes on its events as they come; it waits for a reader who is slower. When nothing
 * comes for a while, that is told, so that nobody takes it for dead.
 *
 * @param run calls back with each event
 * @throws what it throws
 */
export async function* stepsOf<E, R>(
  run: (onEvent: (event: E) => Promise<void>) => Promise<R>,
): AsyncGenerator<Step<E, R>, void, undefined> {
  const waiting: E[] = [];
  let hasLeft = false;
  let wake = () => {};
  let taken = () => {};
  const onEvent = async (event: E) => {
    waiting.push(event);
    wake();
    if (waiting.length < WAITING_EVENTS || hasLeft) return;
    await new Promise<void>((resolve) => {
      taken = resolve;
    });
  };
  let result: { readonly value: R } | undefined;
  const done = run(onEvent).then((value) => {
    result = { value };
  });
  // Looked at below; until then a failure is nobody's.
  done.catch(() => {});
  try {
    while (result === undefined || waiting.length > 0) {
      const event = waiting.shift();
      taken();
      if (event !== undefined) {
        yield { type: "event", event };
        continue;
      }
      const isQuiet = await quietFor(SIGN_OF_LIFE_MS, done, (onWake) => {
        wake = onWake;
      });
      if (isQuiet) yield { type: "quiet" };
    }
    yield { type: "result", result: result.value };
  } finally {
    hasLeft = true;
    taken();
  }
}

/** Waits for an end or for a call; returns whether neither came for so long. */
async function quietFor(
  milliseconds: number,
  end: Promise<void>,
  listen: (onWake: () => void) => void,
): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const quiet = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, milliseconds, true);
    listen(() => resolve(false));
  });
  try {
    return await Promise.race([quiet, end.then(() => false)]);
  } finally {
    clearTimeout(timer);
  }
}
