import { type Command, Option } from "commander";
import { parsed } from "./parse.ts";

const repeatableOptions = new WeakSet<Option>();

/** Whether an option is a list of what is given. */
export function isRepeatable(option: Option): boolean {
  return repeatableOptions.has(option);
}

/** Wrong usage whose message is all that is shown: what was given may hold a secret. */
export class UsageError extends Error {}

/** An option that may be given several times, and is a list of what was given. */
export function repeatable<T>(flags: string, description: string, parse: (text: string) => T): Option {
  return listOf(flags, description, (text) => parsed(text, parse));
}

/** The same for values that may hold a secret, which no message repeats. */
export function repeatableSecret<T>(flags: string, description: string, parse: (text: string) => T): Option {
  return listOf(flags, description, (text) => parsedSecret(flags, text, parse));
}

/** The value of an option that may hold a secret: what is wrong with it is told without repeating it. */
export function parsedSecret<T>(flags: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (cause) {
    throw new UsageError(`option '${flags}': ${(cause as Error).message}`);
  }
}

function listOf<T>(flags: string, description: string, parse: (text: string) => T): Option {
  const option = new Option(flags, `${description} (repeatable)`).argParser(
    (text: string, previous: readonly T[] = []): readonly T[] => [...previous, parse(text)],
  );
  repeatableOptions.add(option);
  return option;
}

/**
 * Refuses every other option that is given twice, in a command and those below it: one of the two
 * values would be dropped without a word.
 */
export function refuseRepetition(command: Command): void {
  for (const option of command.options) {
    if (option.isBoolean() || repeatableOptions.has(option)) continue;
    let seen = 0;
    command.on(`option:${option.name()}`, () => {
      seen++;
      if (seen > 1) command.error(`error: option '${option.flags}' is given more than once`);
    });
  }
  for (const below of command.commands) refuseRepetition(below);
}
