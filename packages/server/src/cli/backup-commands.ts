import { constants, copyFile, open, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { makeDirectory } from "@tvix/castore-fs";
import { type CopyContents, openStore } from "@tvix/castore-packs";
import { type Command, Option } from "commander";
import { BackupFolder } from "../maintenance/backup-folder.ts";
import type { Maintenance } from "../maintenance/maintenance.ts";
import { mebibytes, type StoreOptions, withMaintenance, withStore } from "./maintained-store.ts";
import { print } from "./output.ts";
import { directory } from "./parse.ts";
import { withProgressBar } from "./progress-bar.ts";
import { isWithin, refuseStoreAt } from "./within.ts";

/** `tvix-store backup`, `restore-backup`: a copy of a store, and a store of a copy. */
export function addBackupCommands(program: Command): void {
  withStore(program.command("backup"))
    .description("copy the whole store into a folder, or what is new since it was copied there")
    .argument("<folder>", "empty, or a backup of this store")
    .action(backup);
  program
    .command("restore-backup")
    .description("make a data directory of a backup")
    .argument("<folder>", "a backup")
    .addOption(
      new Option("--data <directory>", "where there is no store yet")
        .argParser(directory)
        .makeOptionMandatory(),
    )
    .action(restore);
}

async function backup(folder: string, { json = false, ...options }: StoreOptions): Promise<void> {
  await refuseStoreAt(folder, options.data);
  const line = ({ written }: { readonly written: number }) => `backup: ${mebibytes(written)} new`;
  const result = await withProgressBar({ written: 0 }, line, (onProgress) =>
    withMaintenance(options, (maintenance) => copyTo(folder, maintenance, onProgress)),
  );
  if (json) await print(`${JSON.stringify(result)}\n`);
  else {
    process.stderr.write(
      `the backup has ${mebibytes(result.bytes)}, of which ${mebibytes(result.written)} are new\n`,
    );
  }
}

async function copyTo(
  folder: string,
  maintenance: Maintenance,
  onProgress: ((progress: { readonly written: number }) => void) | undefined,
): Promise<{ readonly bytes: number; readonly written: number }> {
  await using copy = await BackupFolder.open(resolve(folder));
  let contents: CopyContents | undefined;
  let written = 0;
  const onContents = (all: CopyContents) => {
    contents = all;
  };
  for await (const part of maintenance.backup(await copy.state(), onContents)) {
    await copy.write(part);
    written += part.data.length;
    onProgress?.({ written });
  }
  if (contents === undefined) throw new Error("it is not known what the backup consists of");
  await copy.finish(contents);
  const { files } = contents as CopyContents;
  return { bytes: [...files.values()].reduce((sum, length) => sum + length, 0), written };
}

/** Damaged files that a message names. */
const SHOWN = 10;

/** Brings a file, or the names in a folder, to the disk: whoever is told that a store is restored may remove the copy. */
async function flush(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function restore(folder: string, { data }: { readonly data: string }): Promise<void> {
  const [from, to] = [resolve(folder), resolve(data)];
  if (!(await BackupFolder.isOne(from))) throw new Error(`${folder} is no backup`);
  if (await isWithin(to, from)) throw new Error(`${data} lies in the backup`);
  await makeDirectory(to);
  if ((await readdir(to)).length > 0) throw new Error(`${data} has something in it`);
  for (const name of ["packs", "journal"]) {
    await makeDirectory(join(to, name));
    for (const file of await readdir(join(from, name))) {
      // Where the file system can, without copying.
      await copyFile(join(from, name, file), join(to, name, file), constants.COPYFILE_FICLONE);
      await flush(join(to, name, file));
    }
    await flush(join(to, name));
  }
  await flush(to);
  const onNotice = (text: string) => void process.stderr.write(`tvix-store: ${text}\n`);
  const damaged = await BackupFolder.damagedFiles(from);
  if (damaged.length > 0) {
    process.exitCode = 1;
    const shown = damaged.slice(0, SHOWN).join(", ");
    const more = damaged.length > SHOWN ? `, and ${damaged.length - SHOWN} more` : "";
    onNotice(`the backup is not as it was made, and what was in it may be lost: ${shown}${more}`);
  }
  await using store = await openStore(to, { create: false, onNotice });
  // A backup has no index, and all that one is made of.
  if (store.foundIndex !== "rebuilt") process.exitCode = 1;
  const { packs, journal } = await store.size();
  process.stderr.write(
    `restored ${mebibytes(packs + journal)}; verify --read-data tells whether all is well\n`,
  );
}
