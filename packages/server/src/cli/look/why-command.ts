import type { StorePath } from "@tvix/nix-compat";
import { renderNar } from "@tvix/store";
import { type Command, Option } from "commander";
import type { Services } from "../../services.ts";
import { describeFailure } from "../failure.ts";
import { parseStorePath } from "../object.ts";
import { print } from "../output.ts";
import { repeatable } from "../repeatable.ts";
import { addServiceOptions, type ServiceOptions, withServices } from "../services.ts";
import { withoutPassword } from "../without-password.ts";
import { askCache, type Said } from "./ask-cache.ts";
import { readNixSettings } from "./nix-settings.ts";

interface WhyOptions extends ServiceOptions {
  readonly cache?: readonly string[];
  readonly nix: boolean;
  readonly json?: boolean;
}

/** `tvix-store why`: why a path is not found, or is. */
export function addWhyCommand(program: Command): void {
  const command = program
    .command("why")
    .description(
      "ask the store and the caches of Nix for a path, and tell what each said; exit status 1 when none has it",
    )
    .argument("<store path>", "with or without /nix/store/", parseStorePath)
    .addOption(repeatable("--cache <url>", "ask this cache as well", (url) => url))
    .addOption(new Option("--no-nix", "leave out the substituters of nix.conf"))
    .option("--json", "print an array of objects");
  addServiceOptions(command).action(async (path: StorePath, options: WhyOptions) => {
    const { substituters, trustedKeys } = await readNixSettings();
    const caches = [...(options.cache ?? []), ...(options.nix ? substituters : [])];
    const said = [
      await askStore(path, options),
      ...(await Promise.all([...new Set(caches)].map((cache) => askCache(cache, path, trustedKeys)))),
    ];
    if (options.json === true) await print(`${JSON.stringify(said, undefined, 2)}\n`);
    else for (const { store, outcome, text } of said) await print(`${outcome.padEnd(8)} ${store}: ${text}\n`);
    if (!said.some(({ outcome }) => outcome === "usable")) process.exitCode = 1;
  });
}

async function askStore(path: StorePath, options: WhyOptions): Promise<Said> {
  const { data, storeComposition, pathInfoServiceAddr, serviceAddr } = options;
  const store = withoutPassword(data ?? storeComposition ?? pathInfoServiceAddr ?? serviceAddr);
  try {
    return await withServices(options, async (services) => ({ store, ...(await lookAt(path, services)) }));
  } catch (error) {
    return { store, outcome: "failed", text: describeFailure(error) };
  }
}

async function lookAt(path: StorePath, services: Services): Promise<Omit<Said, "store">> {
  const info = await services.pathInfoService.get(path.digest);
  if (info === undefined) return { outcome: "missing", text: "it has no such path" };
  if (!info.storePath.equals(path)) {
    return { outcome: "missing", text: `it has ${info.storePath} there, of another name` };
  }
  const absent: StorePath[] = [];
  for (const reference of info.references) {
    if ((await services.pathInfoService.get(reference.digest)) === undefined) absent.push(reference);
  }
  try {
    let length = 0;
    for await (const piece of renderNar(info.node, services)) length += piece.length;
    if (length !== info.narSize)
      return { outcome: "unusable", text: `its contents make ${length} bytes, not ${info.narSize}` };
  } catch (error) {
    return {
      outcome: "unusable",
      text: `it is known, and its contents are not whole: ${describeFailure(error)}`,
    };
  }
  const signed =
    info.signatures.length === 0
      ? "unsigned"
      : `signed by ${info.signatures.map(({ name }) => name).join(", ")}`;
  const without = absent.length === 0 ? "" : `; it refers to what is not there: ${absent.join(", ")}`;
  return { outcome: "usable", text: `it is there as a whole, ${signed}${without}` };
}
