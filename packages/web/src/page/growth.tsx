import type { JSX } from "preact";
import type { DayFigures } from "./figures.ts";
import { bytes } from "./show.tsx";

const WIDTH = 600;
const HEIGHT = 120;

/** What a store had from day to day, drawn: NARs of all paths, and what is stored for them. */
export function Growth({ days }: { days: readonly DayFigures[] }): JSX.Element | null {
  const [first, last] = [days[0], days.at(-1)];
  // One day is no growth.
  if (first === undefined || last === undefined || first === last) return null;
  const most = Math.max(1, ...days.map(({ narBytes, storedBytes }) => Math.max(narBytes, storedBytes)));
  const line = (figureOf: (day: DayFigures) => number) =>
    days
      .map((day) => {
        const x = ((day.time - first.time) / (last.time - first.time)) * WIDTH;
        return `${x.toFixed(1)},${(HEIGHT - (figureOf(day) / most) * HEIGHT).toFixed(1)}`;
      })
      .join(" ");
  return (
    <figure>
      <svg class="growth" viewBox={`0 -4 ${WIDTH} ${HEIGHT + 8}`} preserveAspectRatio="none">
        <title>Growth of the store</title>
        <polyline class="nars" points={line(({ narBytes }) => narBytes)} />
        <polyline class="stored" points={line(({ storedBytes }) => storedBytes)} />
      </svg>
      <figcaption>
        From {dateOf(first.time)} to {dateOf(last.time)}: NARs {bytes(first.narBytes)} to{" "}
        {bytes(last.narBytes)} (dashed), stored {bytes(first.storedBytes)} to {bytes(last.storedBytes)};{" "}
        {first.paths} to {last.paths} paths.
      </figcaption>
    </figure>
  );
}

/** A day as people write it. */
export function dateOf(time: number): string {
  return new Date(time).toLocaleDateString(undefined, { dateStyle: "medium" });
}
