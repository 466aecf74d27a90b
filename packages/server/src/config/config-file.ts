import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { UsageError } from "../cli/repeatable.ts";
import { applySettings, nameOf, optionNamed, placeOf } from "./command-settings.ts";
import { type Mistake, readToml, type Setting } from "./toml.ts";

/** The tables of a file: options of the daemon, and of every other command. */
const SECTIONS = ["daemon", "client"] as const;

/** One of {@link SECTIONS}. */
export type Section = (typeof SECTIONS)[number];

/** Options of the daemon that decide where the file itself is, or end at once. */
const COMMAND_LINE_ONLY = new Set(["config", "help", "version", "json"]);

/** A file of settings, for which there are options. */
export interface ConfigFile {
  readonly path: string;
  readonly settings: Readonly<Record<Section, readonly Setting[]>>;
  readonly mistakes: readonly Mistake[];
}

/**
 * Reads a file of settings: TOML with tables `[daemon]` and `[client]`, whose keys are names of options.
 *
 * @param commands those whose options there are, by section
 * @throws Error of the system
 */
export function readConfigFile(
  path: string,
  commands: Readonly<Record<Section, readonly Command[]>>,
): ConfigFile {
  const { settings, mistakes } = readToml(readUtf8(path));
  const found: Mistake[] = [...mistakes];
  const sections: Record<Section, Setting[]> = { daemon: [], client: [] };
  for (const setting of settings) {
    const text = mistakeIn(setting, commands);
    if (text !== undefined) found.push({ text, ...placeOf(setting) });
    else sections[setting.path[0] as Section].push(setting);
  }
  return { path, settings: sections, mistakes: found };
}

function mistakeIn(
  setting: Setting,
  commands: Readonly<Record<Section, readonly Command[]>>,
): string | undefined {
  const { path } = setting;
  const section = SECTIONS.find((known) => known === path[0]);
  if (section === undefined || path.length === 1) {
    return `${JSON.stringify(path.join("."))} is in none of the tables [daemon] and [client]`;
  }
  const name = nameOf(setting);
  const isKnown =
    path.length === 2 &&
    !COMMAND_LINE_ONLY.has(name) &&
    commands[section].some((command) => optionNamed(command, name) !== undefined);
  if (isKnown) return undefined;
  const [, positive] = /^no-(.+)$/.exec(name) ?? [];
  const isNegation =
    positive !== undefined &&
    commands[section].some((command) => optionNamed(command, positive) !== undefined);
  const hint = isNegation ? `; say ${positive} = false` : "";
  return `there is no setting ${JSON.stringify(path.slice(1).join("."))} in [${section}]${hint}`;
}

/** @throws Error that names the file, also when it is not UTF-8: what it names would be something else */
function readUtf8(path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path));
  } catch (cause) {
    const why = cause instanceof TypeError ? "it is not UTF-8" : (cause as Error).message;
    throw new Error(`the settings in ${path} cannot be read: ${why}`, { cause });
  }
}

/**
 * Gives a command what the file says of its options.
 *
 * @throws UsageError that names every mistake with its place
 */
export function configure(command: Command, section: Section, file: ConfigFile): void {
  const mistakes = [...file.mistakes, ...applySettings(command, file.settings[section])];
  if (mistakes.length > 0) throw new UsageError(describeMistakes(file.path, mistakes).join("\n"));
}

/** A line for each mistake, in their order. */
export function describeMistakes(path: string, mistakes: readonly Mistake[]): readonly string[] {
  return inOrder(mistakes).map(({ line, column, text }) => `${path}:${line}:${column}: ${text}`);
}

/** Mistakes in the order in which they stand in their file. */
export function inOrder(mistakes: readonly Mistake[]): readonly Mistake[] {
  return [...mistakes].sort((one, other) => one.line - other.line || one.column - other.column);
}
