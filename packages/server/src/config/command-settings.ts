import { type Command, CommanderError, InvalidArgumentError, type Option } from "commander";
import { isRepeatable, UsageError } from "../cli/repeatable.ts";
import type { Mistake, Setting, SettingValue } from "./toml.ts";

/** A value for an option of a command. */
interface OptionValue {
  readonly option: Option;
  readonly value: unknown;
}

/**
 * Gives options of a command the values that a file has for them, unless the command line or the
 * environment has said what they are; those that the file says nothing of get their defaults back.
 * Settings have the names of options, without dashes in front; `sync = false` is `--no-sync`.
 *
 * @returns what is wrong with the settings that are options of this command
 */
export function applySettings(command: Command, settings: readonly Setting[]): readonly Mistake[] {
  const mistakes: Mistake[] = [];
  const values = new Map<string, unknown>();
  for (const setting of settings) {
    const option = optionNamed(command, nameOf(setting));
    if (option === undefined) continue;
    const read = readValue(option, setting.value);
    if ("text" in read) mistakes.push({ text: `${nameOf(setting)}: ${read.text}`, ...placeOf(setting) });
    else values.set(option.attributeName(), read.value);
  }
  if (mistakes.length > 0) return mistakes;
  for (const option of command.options) {
    const name = option.attributeName();
    const source = command.getOptionValueSource(name);
    if (source === "cli" || source === "env") continue;
    if (values.has(name)) command.setOptionValueWithSource(name, values.get(name), "config");
    else if (source === "config") command.setOptionValueWithSource(name, defaultOf(command, name), "default");
  }
  return [];
}

/** The option that a setting is the value of. */
export function optionNamed(command: Command, name: string): Option | undefined {
  // `no-sync = true` would be read as the contrary of what it says: there is `sync = false`.
  return command.options.find(({ long, negate }) => long === (negate ? `--no-${name}` : `--${name}`));
}

/** The last name of a setting. */
export function nameOf({ path }: Setting): string {
  return path.at(-1) ?? "";
}

/** Where a setting stands. */
export function placeOf({ line, column }: Setting): { line: number; column: number } {
  return { line, column };
}

/** What the file said before is gone: an option is on unless it is one that switches something on. */
function defaultOf(command: Command, name: string): unknown {
  const option = command.options.find((one) => one.attributeName() === name);
  return option?.negate === true ? true : option?.defaultValue;
}

/** The value of an option, or what is wrong with it. */
function readValue(
  option: Option,
  value: SettingValue | undefined,
): Pick<OptionValue, "value"> | { readonly text: string } {
  if (option.isBoolean() || option.negate) {
    return typeof value === "boolean" ? { value } : { text: "expected true or false" };
  }
  const list = Array.isArray(value) ? value : [value];
  if (!isRepeatable(option) && list.length !== 1) return { text: "expected one value" };
  if (!list.every(isText)) {
    return { text: `expected ${isRepeatable(option) ? "texts, in brackets" : "a text or a number"}` };
  }
  try {
    // As the command line has it: each value is read beside those before it.
    const read = list.reduce<unknown>(
      (before, one) => (option.parseArg === undefined ? String(one) : option.parseArg(String(one), before)),
      undefined,
    );
    return { value: read };
  } catch (error) {
    if (isOfUser(error)) return { text: (error as Error).message };
    throw error;
  }
}

function isText(value: unknown): value is string | number {
  return typeof value === "string" || typeof value === "number";
}

/** Whether an error says what a user has done wrong. */
function isOfUser(error: unknown): boolean {
  return (
    error instanceof InvalidArgumentError || error instanceof CommanderError || error instanceof UsageError
  );
}
