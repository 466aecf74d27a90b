import type { JSX } from "preact";
import { type Figures, loadFigures } from "./figures.ts";
import { useLoaded } from "./load.ts";
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
      <SearchView text="" />
    </>
  );
}

function StoreFigures({ figures: { health, metrics, pins } }: { figures: Figures }): JSX.Element {
  const put = metrics.get("tvix_store_chunk_put_bytes_total") ?? 0;
  const stored = metrics.get("tvix_store_chunk_stored_bytes_total") ?? 0;
  const sizes = [...metrics].filter(([name]) => name.startsWith("tvix_store_size_bytes"));
  return (
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
  );
}
