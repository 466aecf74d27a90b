import type { JSX } from "preact";
import { type DayFigures, type Figures, loadFigures } from "./figures.ts";
import { dateOf, Growth } from "./growth.tsx";
import { useLoaded } from "./load.ts";
import { NewestPaths } from "./newest-paths.tsx";
import { SearchView } from "./search-view.tsx";
import { bytes, Shown } from "./show.tsx";

/** What there is, and how it is. */
export function HomeView(): JSX.Element {
  const figures = useLoaded("figures", loadFigures);
  return (
    <>
      <section aria-labelledby="store-heading">
        <h2 id="store-heading">The store</h2>
        <Shown of={figures}>{(found) => <StoreFigures figures={found} />}</Shown>
      </section>
      <NewestPaths />
      <SearchView text="" />
    </>
  );
}

function StoreFigures({ figures: { health, metrics, pins, days } }: { figures: Figures }): JSX.Element {
  const put = metrics.get("tvix_store_chunk_put_bytes_total") ?? 0;
  const stored = metrics.get("tvix_store_chunk_stored_bytes_total") ?? 0;
  const sizes = [...metrics].filter(([name]) => name.startsWith("tvix_store_size_bytes"));
  const counted = days.at(-1);
  return (
    <>
      <dl>
        {health.map((line) => {
          const [what, ...state] = line.split(": ");
          return (
            <>
              <dt>{what}</dt>
              <dd class={state.join(": ") === "ok" ? "" : "error"}>{state.join(": ")}</dd>
            </>
          );
        })}
        {counted !== undefined && <Counted figures={counted} />}
        {sizes.map(([name, size]) => (
          <>
            <dt>{/"([^"]+)"/.exec(name)?.[1] ?? "size"}</dt>
            <dd>{bytes(size)}</dd>
          </>
        ))}
        {put > 0 && (
          <>
            <dt>since the start</dt>
            <dd>
              {bytes(put)} put, {bytes(stored)} stored of it ({(put / Math.max(1, stored)).toFixed(1)} to 1)
            </dd>
          </>
        )}
        {pins.length > 0 && (
          <>
            <dt>pins</dt>
            <dd>{pins.join(", ")}</dd>
          </>
        )}
      </dl>
      <Growth days={days} />
    </>
  );
}

function Counted({ figures }: { figures: DayFigures }): JSX.Element {
  const { time, paths, directories, chunks, narBytes, chunkBytes, storedBytes } = figures;
  const ratio = (one: number, other: number) => `${(one / Math.max(1, other)).toFixed(1)} to 1`;
  return (
    <>
      <dt>counted</dt>
      <dd>
        <time dateTime={new Date(time).toISOString()}>{dateOf(time)}</time>, once a day
      </dd>
      <dt>paths</dt>
      <dd>
        {paths}, whose NARs have {bytes(narBytes)}; {directories} directories
      </dd>
      <dt>contents</dt>
      <dd>
        {bytes(chunkBytes)} in {chunks} chunks, each once ({ratio(narBytes, chunkBytes)})
      </dd>
      <dt>stored</dt>
      <dd>
        {bytes(storedBytes)} ({ratio(chunkBytes, storedBytes)} compressed, {ratio(narBytes, storedBytes)} in
        all)
      </dd>
    </>
  );
}
