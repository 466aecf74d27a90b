/**
 * Reads an origin as browsers send it: scheme, host, and the port unless it is the usual one.
 *
 * @throws RangeError for what could never match one
 */
export function parseOrigin(text: string): string {
  const url = URL.parse(text);
  if (url !== null && url.origin === text && url.origin !== "null") return text;
  const hint = url === null || url.origin === "null" ? "https://app.example" : url.origin;
  throw new RangeError(`${JSON.stringify(text)} is no origin: expected such as ${hint}`);
}
