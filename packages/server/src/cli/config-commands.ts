import { accessSync, constants } from "node:fs";
import { type Command, Option } from "commander";
import { describeComposition } from "../compose/describe-composition.ts";
import { applySettings, nameOf, placeOf } from "../config/command-settings.ts";
import {
  type ConfigFile,
  configure,
  describeMistakes,
  inOrder,
  readConfigFile,
  type Section,
} from "../config/config-file.ts";
import type { Mistake, Setting } from "../config/toml.ts";
import { daemonComposition } from "./daemon-composition.ts";
import type { DaemonOptions } from "./daemon-options.ts";
import { describeFailure } from "./failure.ts";
import { print } from "./output.ts";
import { directory } from "./parse.ts";
import { UsageError } from "./repeatable.ts";
import { binaryCachesOf } from "./upstream-option.ts";

/** Commands that belong to a daemon: theirs are the settings of `[daemon]`. */
const OF_DAEMON = new Set(["daemon", "token"]);

/** Commands that work without services. */
const OF_NOBODY = new Set(["keys", "config", "login", "logout", "use", "man", "completion", "complete"]);

/** Settings that name a file which is read. */
const FILES = new Set([
  "tls-cert-file",
  "tls-key-file",
  "tls-client-ca-file",
  "oidc-rules",
  "signing-key-file",
  "ca-file",
  "bearer-token-file",
  "store-composition",
  "experimental-store-composition",
]);

/** Adds `--config` to a program, whose commands then have what the file says, and `config check`. */
export function addConfig(program: Command): void {
  program.addOption(
    new Option("--config <file>", "TOML file with settings: options in tables [daemon] and [client]")
      .env("TVIX_STORE_CONFIG")
      .argParser(directory),
  );
  program.hook("preAction", (_, command) => {
    const section = sectionOf(command);
    const file = section === undefined ? undefined : configOf(program);
    if (section !== undefined && file !== undefined) configure(command, section, file);
  });
  program
    .command("config")
    .description("look at files of settings")
    .command("check")
    .description("say what is wrong in a file of settings, each mistake with its line and column")
    .argument("[file]", "default: the one that --config or TVIX_STORE_CONFIG names")
    .option("--json", "print an object with the mistakes")
    .action(
      async (path: string | undefined, { json = false }: { readonly json?: boolean }) =>
        await check(program, path, json),
    );
}

/** The file of settings of a program, read now; undefined where there is none. */
export function configOf(
  program: Command,
  path: string | undefined = program.opts<{ config?: string }>().config,
): ConfigFile | undefined {
  return path === undefined ? undefined : readConfigFile(path, commandsBySection(program));
}

function commandsBySection(program: Command): Record<Section, Command[]> {
  const leaves = leavesOf(program);
  return {
    daemon: leaves.filter((command) => sectionOf(command) === "daemon"),
    client: leaves.filter((command) => sectionOf(command) === "client"),
  };
}

function leavesOf(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(leavesOf)];
}

/** Where the settings of a command are; undefined for those that have none. */
function sectionOf(command: Command): Section | undefined {
  let top = command;
  while (top.parent?.parent != null) top = top.parent;
  if (top.parent === null || OF_NOBODY.has(top.name())) return undefined;
  return OF_DAEMON.has(top.name()) ? "daemon" : "client";
}

async function check(program: Command, path: string | undefined, json: boolean): Promise<void> {
  const file = configOf(program, path);
  if (file === undefined)
    throw new UsageError("there is no file to check: name one, or set TVIX_STORE_CONFIG");
  const mistakes = new Map<string, Mistake>();
  const commands = commandsBySection(program);
  const note = (found: readonly Mistake[]) => {
    for (const one of found) mistakes.set(JSON.stringify(one), one);
  };
  note(file.mistakes);
  for (const section of ["daemon", "client"] as const) {
    for (const command of commands[section]) note(applySettings(command, file.settings[section]));
    note(file.settings[section].flatMap(unreadableFiles));
  }
  if (json) return await printJson(program, file, inOrder([...mistakes.values()]));
  if (mistakes.size > 0) throw new Error(describeMistakes(file.path, [...mistakes.values()]).join("\n"));
  await print(`${file.path}: no mistakes\n\nThe daemon's store:\n${describeStore(program)}`);
}

/** What the daemon would serve with these settings. @throws UsageError for what does not go together */
function describeStore(program: Command): string {
  const daemon = program.commands.find((command) => command.name() === "daemon") as Command;
  const options = daemon.opts<DaemonOptions>();
  const caches = binaryCachesOf(options.upstream).map(({ url }) => `binary cache ${url.href}\n`);
  return `${describeComposition(daemonComposition(options))}${caches.join("")}`;
}

/** The mistakes of a file; where each setting is right, but they do not go together, that. */
async function printJson(program: Command, file: ConfigFile, mistakes: readonly Mistake[]): Promise<void> {
  const found: (Mistake | Pick<Mistake, "text">)[] = [...mistakes];
  try {
    if (found.length === 0) describeStore(program);
  } catch (error) {
    found.push({ text: describeFailure(error) });
  }
  await print(`${JSON.stringify({ file: file.path, mistakes: found })}\n`);
  if (found.length > 0) process.exitCode = 1;
}

function unreadableFiles(setting: Setting): readonly Mistake[] {
  if (!FILES.has(nameOf(setting))) return [];
  return [setting.value].flat().flatMap((path) => {
    try {
      accessSync(String(path), constants.R_OK);
      return [];
    } catch (error) {
      return [{ text: `${nameOf(setting)}: ${(error as Error).message}`, ...placeOf(setting) }];
    }
  });
}
