import { GroupCommit } from "@tvix/castore/backend";
import { Database } from "@tvix/castore-level";
import { MemoryLevel } from "memory-level";
import { describe, expect, test, vi } from "vitest";

const put = (key: number) => [{ type: "put", key: Uint8Array.of(key), value: Uint8Array.of(1) }] as const;

describe("a database on a disk that was full", () => {
  const failing = (text = "No space left on device") => {
    const level = new MemoryLevel<Uint8Array, Uint8Array>({ keyEncoding: "view", valueEncoding: "view" });
    const batch = level.batch.bind(level);
    const disk = { isFull: false };
    level.batch = (async (...args: Parameters<typeof batch>) => {
      if (disk.isFull) throw new Error(`IO error: ${text}`);
      return await batch(...args);
    }) as unknown as typeof level.batch;
    return { level, disk };
  };

  test("takes writes again as soon as there is room, without being made anew", async () => {
    const { level, disk } = failing();
    const database = new Database(level, { mayReopen: async () => !disk.isFull });
    await database.write(put(1));
    disk.isFull = true;
    await expect(database.write(put(2))).rejects.toMatchObject({ code: "NO_SPACE" });
    expect(database.failure).toMatchObject({ code: "NO_SPACE" });
    expect(await database.recover()).toMatchObject({ code: "NO_SPACE" });
    expect(await database.has(Uint8Array.of(1))).toBe(true);
    disk.isFull = false;
    // Readers who ask while it is opened again wait for it.
    const [, found] = await Promise.all([database.write(put(3)), database.get(Uint8Array.of(1))]);
    expect(found).toEqual(Uint8Array.of(1));
    expect(database.failure).toBeUndefined();
    expect(await database.has(Uint8Array.of(3))).toBe(true);
  });

  test("whose quota is used up is full", async () => {
    const { level, disk } = failing("Disk quota exceeded");
    disk.isFull = true;
    await expect(new Database(level).write(put(1))).rejects.toMatchObject({ code: "NO_SPACE" });
  });

  test("is asked for that by those who watch it, too", async () => {
    const { level, disk } = failing();
    const database = new Database(level, { mayReopen: async () => true });
    disk.isFull = true;
    await expect(database.write(put(1))).rejects.toThrow();
    disk.isFull = false;
    expect(await database.recover()).toBeUndefined();
    await database.write(put(1));
  });

  test("stays as it is where it may not be opened again", async () => {
    const { level, disk } = failing();
    const database = new Database(level);
    disk.isFull = true;
    await expect(database.write(put(1))).rejects.toThrow();
    disk.isFull = false;
    await expect(database.write(put(1))).rejects.toMatchObject({ code: "NO_SPACE" });
  });
});

describe("group commit", () => {
  test("one who commits one after the other waits for no company", async () => {
    vi.useFakeTimers();
    try {
      const flushed: number[][] = [];
      const commits = new GroupCommit<number>(async (items) => void flushed.push([...items]), 100);
      // No timer goes off here: whoever waited for one would wait for ever.
      for (let item = 0; item < 10; item++) await commits.commit(item, 1);
      expect(flushed).toEqual(Array.from({ length: 10 }, (_, item) => [item]));
    } finally {
      vi.useRealTimers();
    }
  });

  test("many who commit at once share flushes", async () => {
    let flushes = 0;
    const commits = new GroupCommit<number>(async () => void flushes++, 1000);
    await Promise.all(Array.from({ length: 500 }, (_, item) => commits.commit(item, 1)));
    expect(flushes).toBeLessThan(5);
  });
});
