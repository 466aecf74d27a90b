import { InvalidArgumentError } from "commander";

/** An option that is a whole number within bounds. */
export function integer(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`expected a whole number from ${least} to ${most}.`);
  };
}

/** An option or argument read by a function that throws; what it says reaches the user. */
export function parsed<T>(text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}

/** An option that is a folder. */
export function directory(text: string): string {
  if (text === "") throw new InvalidArgumentError("the name of a directory cannot be empty.");
  return text;
}
