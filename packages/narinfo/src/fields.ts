import { NarInfoError } from "./errors.ts";

/** Most characters of a line that a message shows. */
const SHOWN_CHARACTERS = 100;

/**
 * The `Key: value` lines of narinfo and nix-cache-info, in their order. A line ends in a line
 * feed, before which a carriage return does not count; the last one may lack it.
 *
 * @throws NarInfoError INVALID_NARINFO for an empty line, or one without colon and space
 */
export function splitFields(text: string): readonly (readonly [key: string, value: string])[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.map((ended) => {
    const line = ended.endsWith("\r") ? ended.slice(0, -1) : ended;
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
