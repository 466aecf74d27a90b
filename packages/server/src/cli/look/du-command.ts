import { StorePath } from "@tvix/nix-compat";
import type { Command } from "commander";
import type { Services } from "../../services.ts";
import { findObject, OBJECT, type ObjectName, parseObject } from "../object.ts";
import { print } from "../output.ts";
import { withElapsedTime } from "../progress.ts";
import { addServiceOptions, type ServiceOptions, withServices } from "../services.ts";
import { nameOf } from "./object-roots.ts";
import { TreeCosts } from "./tree-costs.ts";

interface DuOptions extends ServiceOptions {
  readonly json?: boolean;
  readonly others: boolean;
}

/** `tvix-store du`: what paths cost, alone and with what others have as well. */
export function addDuCommand(program: Command): void {
  const command = program
    .command("du")
    .description(
      "tell what store paths cost: bytes of their files, and of those that nothing else in the store has",
    )
    .argument("<object...>", OBJECT, (text: string, before: readonly ObjectName[] = []) => [
      ...before,
      parseObject(text),
    ])
    .option("--no-others", "compare them with each other only, not with everything in the store")
    .option("--json", "print an object");
  addServiceOptions(command).action(async (objects: readonly ObjectName[], options: DuOptions) => {
    await withServices(options, async (services) => {
      const costs = await withElapsedTime("du", () => costsOf(objects, services, options.others));
      const rows = costs.costs.map((cost, index) => ({
        object: nameOf(objects[index] as ObjectName),
        ...cost,
      }));
      if (options.json === true) {
        await print(`${JSON.stringify({ objects: rows, together: costs.together }, undefined, 2)}\n`);
        return;
      }
      await print(`${"bytes".padStart(14)} ${"alone".padStart(14)} ${"files".padStart(8)}  object\n`);
      for (const { bytes, alone, files, object } of rows) {
        await print(`${column(bytes, 14)} ${column(alone, 14)} ${column(files, 8)}  ${object}\n`);
      }
      if (rows.length > 1)
        await print(`${column(costs.together, 14)} ${"".padStart(14)} ${"".padStart(8)}  together\n`);
    });
  });
}

function column(value: number, width: number): string {
  return String(value).padStart(width);
}

async function costsOf(
  objects: readonly ObjectName[],
  services: Services,
  others: boolean,
): Promise<TreeCosts> {
  const costs = new TreeCosts(services.directoryService);
  for (const object of objects) await costs.add(await findObject(services, object));
  if (others) await compareWithOthers(costs, objects, services);
  return costs;
}

async function compareWithOthers(
  costs: TreeCosts,
  objects: readonly ObjectName[],
  { pathInfoService }: Services,
): Promise<void> {
  const named = new Set(objects.filter((object) => object instanceof StorePath).map(String));
  for await (const { storePath, node } of pathInfoService.list()) {
    if (!named.has(storePath.toString())) await costs.compare(node);
  }
}
