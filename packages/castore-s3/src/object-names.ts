/** The folder of the packs, below the prefix of a store. */
export const PACKS = "packs/";

/** The name of the object of an extent. */
export function nameOf(extent: number): string {
  return `${PACKS}${extent.toString(16).padStart(8, "0")}`;
}

/** The extent that lies in an object; undefined for what is none of ours. */
export function extentOf(name: string): number | undefined {
  const [, digits] = /^packs\/([0-9a-f]{8})$/.exec(name) ?? [];
  return digits === undefined ? undefined : Number.parseInt(digits, 16);
}
