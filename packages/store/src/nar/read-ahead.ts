import type { ByteBudget } from "@tvix/castore";

/** Something that takes time to load. */
export interface Loadable<T> {
  /** Memory that it takes from when loading begins, in bytes. */
  readonly bytes: number;
  load(): Promise<T> | T;
}

/** Items that are under way ahead of the consumer, at the most. */
const AHEAD_ITEMS = 64;

/** What an item that has to be loaded takes at least, however short it is. */
const LEAST_BYTES = 16 << 10;

interface Ahead<T> {
  readonly loaded: Promise<T>;
  readonly reserved: number;
}

/**
 * Loads items ahead of the consumer and passes them on in their order. The one whose turn it
 * is may always be loaded, those behind it as long as the budget lasts, which several
 * consumers may share.
 */
export async function* readAhead<T>(
  items: AsyncIterable<Loadable<T>>,
  budget: ByteBudget,
): AsyncGenerator<T, void, undefined> {
  const ahead: Ahead<T>[] = [];
  const passOn = async ({ loaded, reserved }: Ahead<T>) => {
    try {
      return await loaded;
    } finally {
      budget.release(reserved);
    }
  };
  try {
    for await (const item of items) {
      const bytes = item.bytes === 0 ? 0 : Math.max(item.bytes, LEAST_BYTES);
      const mayBegin = () => ahead.length === 0 || bytes === 0 || budget.tryAcquire(bytes);
      let begins = ahead.length < AHEAD_ITEMS && mayBegin();
      while (!begins) {
        yield await passOn(ahead.shift() as Ahead<T>);
        begins = mayBegin();
      }
      const reserved = ahead.length === 0 ? 0 : bytes;
      const loaded = Promise.resolve(item.load());
      // Looked at when its turn comes; until then a failure is nobody's.
      loaded.catch(() => {});
      ahead.push({ loaded, reserved });
    }
    for (let next = ahead.shift(); next !== undefined; next = ahead.shift()) yield await passOn(next);
  } finally {
    for (const { loaded, reserved } of ahead) {
      await loaded.catch(() => {});
      budget.release(reserved);
    }
  }
}
