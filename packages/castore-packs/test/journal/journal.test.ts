import { appendFile, cp, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fixtures } from "@tvix/castore/testing";
import { openStore, type Store } from "@tvix/castore-packs";
import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../../../../test/temporary.ts";
import { copyAsKilled, filesIn, lose, shorten } from "./harm.ts";

const utf8 = new TextEncoder();

async function put(store: Store, name: string, value: string | Uint8Array): Promise<void> {
  const bytes = typeof value === "string" ? utf8.encode(value) : value;
  await store.database.write([{ type: "put", key: utf8.encode(`w1${name}`), value: bytes }]);
}

async function names(store: Store): Promise<string[]> {
  const found: string[] = [];
  for await (const [key] of store.database.entries({ prefix: utf8.encode("w1") })) {
    found.push(Buffer.from(key.subarray(2)).toString());
  }
  return found;
}

/** A store with some records, as a process leaves it that is killed. */
async function killed(records: number): Promise<string> {
  const base = await temporaryDirectory();
  const [live, path] = [join(base, "live"), join(base, "killed")];
  await using store = await openStore(live);
  for (let number = 0; number < records; number++)
    await put(store, `record ${number}`, `${number}`.repeat(50));
  await copyAsKilled(live, path);
  return path;
}

async function flipBit(file: string, at: number): Promise<void> {
  const bytes = await readFile(file);
  bytes[at] = (bytes[at] as number) ^ 1;
  await writeFile(file, bytes);
}

describe("damage", () => {
  test("in the journal is no loss while the index has all of it, and the journal begins again", async () => {
    const path = await killed(20);
    const [journal = ""] = await filesIn(join(path, "journal"), ".journal");
    await flipBit(journal, 700);
    for (const isRemade of [false, true]) {
      if (isRemade) await lose(path, "index");
      await using store = await openStore(path);
      expect(await names(store)).toHaveLength(20);
      expect(await store.checkJournal()).toBe(true);
    }
  });

  test("in the first block of the journal loses nothing of what lies behind it", async () => {
    for (const records of [1, 20]) {
      const path = await killed(records);
      await lose(path, "index");
      const [journal = ""] = await filesIn(join(path, "journal"), ".journal");
      const whole = await readFile(journal);
      // Of a single block nobody can tell what it is once the salt is gone.
      const end = records === 1 ? 24 : 40;
      for (let at = 0; at < end; at += 3) {
        const copy = join(await temporaryDirectory(), "copy");
        await cp(path, copy, { recursive: true });
        const [file = ""] = await filesIn(join(copy, "journal"), ".journal");
        await writeFile(file, whole);
        await flipBit(file, at);
        await using store = await openStore(copy);
        expect(await names(store)).toHaveLength(records);
        await put(store, "another", "one");
      }
    }
  });

  test("of all of a journal is told, and what there was of it is kept", async () => {
    for (const part of [0, 0.01]) {
      const path = await killed(20);
      await lose(path, "index");
      const [journal = ""] = await filesIn(join(path, "journal"), ".journal");
      await shorten(journal, part);
      const left = await readFile(journal);
      const notices: string[] = [];
      {
        await using store = await openStore(path, { onNotice: (text) => notices.push(text) });
        expect(await names(store)).toEqual([]);
        expect(store.foundIndex).toBe("partly-rebuilt");
        await put(store, "another", "one");
      }
      expect(notices.join()).toContain("a part of its journal is lost");
      expect(await readFile(`${journal}.damaged`)).toEqual(left);
      await using again = await openStore(path);
      expect(await names(again)).toEqual(["another"]);
    }
  });

  test("in the journal is found, and all records are written down again", async () => {
    const path = await killed(20);
    await using store = await openStore(path);
    await store.compact();
    await put(store, "another", "one");
    const [checkpoint = ""] = await filesIn(join(path, "journal"), ".checkpoint");
    expect(await store.checkJournal()).toBe(true);
    await flipBit(checkpoint, 100);
    expect(await store.checkJournal()).toBe(false);
    await store.renewJournal();
    expect(await store.checkJournal()).toBe(true);
  });

  test("what a client sent is never taken for a part of the journal", async () => {
    const base = await temporaryDirectory();
    const [live, path] = [join(base, "live"), join(base, "killed")];
    await using store = await openStore(live);
    await put(store, "before", "x");
    // A client cannot know the salt of a file; this one knows all blocks of another store.
    const foreign = join(base, "foreign");
    {
      await using other = await openStore(foreign);
      for (let number = 0; number < 50; number++) await put(other, `forged ${number}`, "x");
    }
    const [blocks = ""] = await filesIn(join(foreign, "journal"), ".journal");
    await put(store, "payload", await readFile(blocks));
    await copyAsKilled(live, path);
    const [journal = ""] = await filesIn(join(path, "journal"), ".journal");
    const { length } = await readFile(journal);
    await shorten(journal, (length - 10) / length);
    await lose(path, "index");
    await using after = await openStore(path);
    expect(await names(after)).toEqual(["before"]);
  });
});

describe("checkpoints", () => {
  test("that are not whole, or that the journal does not reach, are passed over, and go", async () => {
    const path = await killed(20);
    const whole = await temporaryDirectory();
    {
      await using store = await openStore(path);
      await cp(join(path, "journal"), join(whole, "before"), { recursive: true });
      await put(store, "late", "x");
      await store.compact();
    }
    const checkpoint = (await readdir(join(path, "journal"))).find((name) =>
      name.endsWith(".checkpoint"),
    ) as string;
    const bytes = await readFile(join(path, "journal", checkpoint));
    for (const part of [bytes.subarray(0, bytes.length >> 1), bytes]) {
      const target = join(await temporaryDirectory(), "data");
      await cp(join(whole, "before"), join(target, "journal"), { recursive: true });
      await writeFile(join(target, "journal", checkpoint), part);
      for (let opened = 0; opened < 3; opened++) {
        await using store = await openStore(target);
        // The last record is in the whole checkpoint only, and nothing that follows is missing.
        expect(await names(store)).toHaveLength(part === bytes ? 21 : 20);
        expect(await store.checkJournal()).toBe(true);
        if (opened === 1) await put(store, "record 1", "again");
      }
      await lose(target, "index");
      await using store = await openStore(target);
      expect(await names(store)).toHaveLength(part === bytes ? 21 : 20);
    }
  });

  test("come as often as the journal has become as long again", async () => {
    const path = await temporaryDirectory();
    await using store = await openStore(path, { sync: false, journalBytes: 4096 });
    const seen = new Set<string>();
    // They are written behind the puts: on a machine that does other work, more puts go by between two of them.
    for (let number = 0; number < 3000 || (seen.size <= 3 && number < 30_000); number++) {
      await put(store, `record ${number % 500}`, Buffer.alloc(300, number));
      if (number % 20 > 0) continue;
      for (const name of await filesIn(join(path, "journal"), ".checkpoint")) seen.add(name);
    }
    // A megabyte of changes, of records that take a sixth of that and compress well.
    expect(seen.size).toBeGreaterThan(3);
    expect(seen.size).toBeLessThan(80);
  });
});

describe("a backup", () => {
  test("that nobody reads to its end does not keep the store from being closed", async () => {
    const path = await temporaryDirectory();
    const store = await openStore(path);
    await store.blobService.put(fixtures.pseudoRandomBytes(3_000_000, 1));
    const parts = store.backup({ storeId: undefined, files: new Map() }, () => {})[Symbol.asyncIterator]();
    await parts.next();
    await store.close();
    await expect(parts.next()).rejects.toMatchObject({ code: "CLOSED" });
  });

  test("is refused where there is one of another store", async () => {
    await using store = await openStore(await temporaryDirectory());
    await using other = await openStore(await temporaryDirectory());
    expect(store.id).not.toBe(other.id);
    const parts = store.backup({ storeId: other.id, files: new Map() }, () => {})[Symbol.asyncIterator]();
    await expect(parts.next()).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
  });
});

test("an index that is older than what is there of the journal is refused, and can be made again", async () => {
  const path = await killed(5);
  const old = join(await temporaryDirectory(), "index");
  {
    await using store = await openStore(path);
    await cp(join(path, "index"), old, { recursive: true, filter: (name) => !name.endsWith("LOCK") });
    for (let number = 0; number < 5; number++) await put(store, `late ${number}`, "x");
    await store.compact();
  }
  await lose(path, "index");
  await cp(old, join(path, "index"), { recursive: true });
  await expect(openStore(path)).rejects.toMatchObject({
    code: "CORRUPT",
    message: expect.stringContaining("older"),
  });
  await using store = await openStore(path, { remakeIndex: true });
  expect(await names(store)).toHaveLength(10);
  await appendFile(join(path, "journal", "0000000000000001.checkpoint.new"), "");
});
