import { StorePath } from "@tvix/nix-compat";
import type { Command } from "commander";
import type { CollectionResult, ContentsFound, GoingPath, NamedPin } from "../maintenance/maintenance.ts";
import { parseDuration } from "./duration.ts";
import { mebibytes, type StoreOptions, withMaintenance, withStore } from "./maintained-store.ts";
import { OBJECT, type ObjectName, parseObject, parseStorePath } from "./object.ts";
import { print } from "./output.ts";
import { integer } from "./parse.ts";
import { withElapsedTime } from "./progress.ts";
import { UsageError } from "./repeatable.ts";

interface GcCommandOptions extends StoreOptions {
  readonly dryRun?: boolean;
  readonly grace?: number;
  readonly keepUnused?: number;
  readonly maxSize?: number;
}

/** `tvix-store gc`, `pin`, `unpin`, `pins`, `forget`: what those who run a store do with it. */
export function addMaintenanceCommands(program: Command): void {
  withStore(program.command("gc"))
    .description("remove store paths that are not kept, and contents that nothing reaches, in two looks")
    .option("--dry-run", "only say what would go")
    .option(
      "--grace <time>",
      "time between the two looks, such as 12h; default 1d, or as the daemon has it",
      parseDuration,
    )
    .option(
      "--keep-unused <time>",
      "how long paths are kept that nobody asks for, such as 30d",
      parseDuration,
    )
    .option("--max-size <MiB>", "what all that is kept may take", integer(1, 1 << 30))
    .action(collect);
  withStore(program.command("pin"))
    .description("keep something under a name, whatever else goes")
    .argument("<name>", "letters, digits and ._+@:/-")
    .argument("<object>", OBJECT, parseObject)
    .action(pin);
  withStore(program.command("unpin"))
    .description("keep it no longer")
    .argument("<name>", "as pins lists it")
    .action(async (name: string, options: StoreOptions) => {
      const isRemoved = await withMaintenance(options, (maintenance) => maintenance.removePin(name));
      if (!isRemoved) throw new Error(`there is no pin ${JSON.stringify(name)}`);
    });
  withStore(program.command("pins")).description("list what is pinned").action(listPins);
  withStore(program.command("forget"))
    .description("remove a store path at once, with all contents that only it used, such as a leaked secret")
    .argument("<store path>", "with or without /nix/store/", parseStorePath)
    .option("--referrers", "remove all paths that refer to it as well")
    .action(forget);
}

async function collect(options: GcCommandOptions): Promise<void> {
  const { dryRun = false, grace: graceMs, keepUnused: unusedMs, maxSize, json = false } = options;
  const maxBytes = maxSize === undefined ? undefined : maxSize * 2 ** 20;
  const result = await withElapsedTime("gc", () =>
    withMaintenance(options, (maintenance) =>
      maintenance.collect({
        dryRun,
        graceMs,
        unusedMs,
        maxBytes,
        onPath: (path) => print(json ? `${JSON.stringify(path)}\n` : `${describeGoing(path, dryRun)}\n`),
      }),
    ),
  );
  if (json) {
    const { due, ...counts } = result;
    await print(`${JSON.stringify({ ...counts, due: due && new Date(due).toISOString() })}\n`);
  } else {
    process.stderr.write(describeResult(result, dryRun));
  }
}

function describeGoing({ storePath, reason }: GoingPath, dryRun: boolean): string {
  const why = reason === "unused" ? "not used for longer than paths are kept" : "used earlier than what fits";
  return `${storePath} ${dryRun ? "would go" : "went"}: ${why}`;
}

function describeResult(
  { paths, removed, condemned, due, freedBytes, damaged }: CollectionResult,
  dryRun: boolean,
): string {
  if (dryRun)
    return `${paths} paths would go, and contents that nothing reaches: ${describeContents(condemned)}\n`;
  const lines = [`${paths} paths went`];
  if (removed !== undefined)
    lines.push(`removed ${describeContents(removed)}; ${mebibytes(freedBytes)} of the disk are free again`);
  if (condemned !== undefined && due !== undefined) lines.push(`condemned ${describeContents(condemned)}`);
  if (due !== undefined) {
    lines.push(
      `what is condemned goes with a collection after ${new Date(due).toISOString()}, unless it is used before`,
    );
  }
  if (damaged > 0) lines.push(`${damaged} chunks are damaged, and keep the room of others: store them again`);
  return lines.map((line) => `${line}\n`).join("");
}

function describeContents(found: ContentsFound | undefined): string {
  const { blobs = 0, chunks = 0, directories = 0, bytes = 0 } = found ?? {};
  return `${directories} directories, ${blobs} long blobs, ${chunks} chunks, ${mebibytes(bytes)}`;
}

async function pin(name: string, object: ObjectName, options: StoreOptions): Promise<void> {
  await withMaintenance(options, async (maintenance) => {
    if (object instanceof StorePath) return await maintenance.setPin({ name, object });
    const { digest, type } = object;
    if (type === undefined) {
      throw new UsageError(`say directory:${digest} or file:${digest}: a digest does not tell what it is of`);
    }
    await maintenance.setPin({ name, object: { type, digest } });
  });
}

async function listPins({ json = false, ...options }: StoreOptions): Promise<void> {
  await withMaintenance(options, async (maintenance) => {
    for await (const { name, object } of maintenance.pins()) {
      const text = describeObject(object);
      await print(json ? `${JSON.stringify({ name, object: text })}\n` : `${name} ${text}\n`);
    }
  });
}

function describeObject(object: NamedPin["object"]): string {
  return object instanceof StorePath ? object.toAbsolute() : `${object.type}:${object.digest}`;
}

async function forget(
  storePath: StorePath,
  { referrers = false, json = false, ...options }: StoreOptions & { readonly referrers?: boolean },
): Promise<void> {
  const result = await withElapsedTime("forget", () =>
    withMaintenance(options, (maintenance) => maintenance.forget(storePath, { withReferrers: referrers })),
  );
  if (result.storePaths.length === 0) throw new Error(`${storePath.toAbsolute()} is not in the store`);
  if (json) await print(`${JSON.stringify(result)}\n`);
  else {
    for (const path of result.storePaths) await print(`${path}\n`);
    const freed = `${mebibytes(result.freedBytes)} of the disk are free again`;
    process.stderr.write(`removed ${describeContents(result.removed)}; ${freed}\n`);
  }
  if (result.damaged === 0) return;
  throw new Error(
    `${result.damaged} damaged chunks keep files in which bytes of it may still lie: store what verify names again, then gc`,
  );
}
