/**
 * A path in an address, with its slashes: its bytes, where it is no text.
 *
 * @param base64 of the bytes, where they are not UTF-8
 */
export function encodedPath(text: string, base64: string | undefined): string {
  if (base64 === undefined) return text.split("/").map(encodeURIComponent).join("/");
  return Array.from(atob(base64), (byte) =>
    byte === "/" ? byte : `%${byte.charCodeAt(0).toString(16).padStart(2, "0")}`,
  ).join("");
}
