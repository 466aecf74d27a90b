import { NarInfoError } from "./errors.ts";

/** Most characters of a line that a message shows. */
const SHOWN_CHARACTERS = 100;

/** A line of a narinfo or a nix-cache-info. */
export type Field = readonly [key: string, value: string];

/**
 * The `Key: value` lines of narinfo and nix-cache-info, in their order. A line ends in a line
 * feed, before which carriage returns do not count; the last one may lack it.
 *
 * @throws NarInfoError INVALID_NARINFO for an empty line, or one without colon and space
 */
export function splitFields(text: string): readonly Field[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.map((ended) => {
    const line = ended.replace(/\r+$/, "");
    const colon = line.indexOf(":");
    if (colon < 0 || line[colon + 1] !== " ") {
      throw new NarInfoError(
        "INVALID_NARINFO",
        `invalid line: ${JSON.stringify(line.slice(0, SHOWN_CHARACTERS))}`,
      );
    }
    return [line.slice(0, colon), line.slice(colon + 2)];
  });
}

/**
 * Writes what {@link splitFields} reads.
 *
 * @throws NarInfoError INVALID_NARINFO for a line feed, behind which another field would begin
 */
export function joinFields(fields: readonly Field[]): string {
  return fields.map(joinField).join("");
}

function joinField([key, value]: Field): string {
  if (!key.includes("\n") && !value.includes("\n")) return `${key}: ${value}\n`;
  const shown = JSON.stringify(value.slice(0, SHOWN_CHARACTERS));
  throw new NarInfoError("INVALID_NARINFO", `the field ${JSON.stringify(key)} has a line feed: ${shown}`);
}
