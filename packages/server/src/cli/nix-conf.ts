/** Lines of one cache in a `nix.conf`, between two comments by which they are found again. */
const begin = (url: string) => `# tvix-store use ${url} (begin; remove with --undo)`;
const end = (url: string) => `# tvix-store use ${url} (end)`;

/** A `nix.conf` with the lines of a cache, in place of those that it had of it. */
export function withCacheLines(text: string, url: string, lines: readonly string[]): string {
  const rest = withoutCacheLines(text, url);
  const before = rest === "" || rest.endsWith("\n") ? rest : `${rest}\n`;
  return `${before}${[begin(url), ...lines, end(url)].join("\n")}\n`;
}

/** The same without them. What is not whole, from its first comment to its last, stays. */
export function withoutCacheLines(text: string, url: string): string {
  const lines = text.split("\n");
  const last = lines.indexOf(end(url));
  const first = lines.lastIndexOf(begin(url), last);
  if (first === -1 || last === -1) return text;
  return [...lines.slice(0, first), ...lines.slice(last + 1)].join("\n");
}

/**
 * A setting of a `nix.conf`: what was said last; what `extra-` adds comes behind it. Included files are not read.
 *
 * @returns words, none where nothing is said
 */
export function settingOf(text: string, name: string): readonly string[] {
  let words: string[] = [];
  for (const line of text.split("\n")) {
    const [, key, value = ""] = /^\s*([\w-]+)\s*=([^#]*)/.exec(line) ?? [];
    const given = value.split(/\s+/).filter((word) => word !== "");
    if (key === name) words = given;
    else if (key === `extra-${name}`) words = [...words, ...given];
  }
  return words;
}
