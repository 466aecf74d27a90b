/** Megabytes (10^6) a second of each contender, one figure for each round. */
export type Figures = Map<string, number[]>;

/** Runs one contender and notes its throughput. */
export async function measure(
  figures: Figures,
  name: string,
  bytes: number,
  run: () => Promise<unknown>,
): Promise<void> {
  const start = performance.now();
  await run();
  const seconds = (performance.now() - start) / 1000;
  figures.set(name, [...(figures.get(name) ?? []), bytes / 1e6 / seconds]);
}

/** Prints the medians, and each as a ratio of each of its baselines. */
export function report(
  title: string,
  figures: Figures,
  baselines: string | readonly string[],
  unit = "MB/s",
): void {
  const names = [baselines].flat();
  console.log(
    `\n## ${title}\n\n| | ${unit}, median (least to most) |${names.map((name) => ` of ${name} |`).join("")}`,
  );
  console.log(`|---|---|${"---|".repeat(names.length)}`);
  for (const [name, values] of figures) {
    const range = `${Math.min(...values).toFixed(0)} to ${Math.max(...values).toFixed(0)}`;
    const ratios = names.map((base) => (median(values) / median(figures.get(base) ?? [])).toFixed(2));
    console.log(`| ${name} | ${median(values).toFixed(0)} (${range}) | ${ratios.join(" | ")} |`);
  }
}

/** The middle one of some figures. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
