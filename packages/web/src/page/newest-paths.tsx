import type { JSX } from "preact";
import { useLoaded } from "./load.ts";
import { linkOf, newestPaths } from "./paths.ts";
import { bytes, Shown } from "./show.tsx";

/** The paths that came last. */
export function NewestPaths(): JSX.Element {
  const loaded = useLoaded("newest", newestPaths);
  return (
    <section aria-labelledby="newest-heading">
      <h2 id="newest-heading">New</h2>
      <Shown of={loaded}>
        {(paths) =>
          paths.length === 0 ? (
            <p class="faint">Nothing has come yet.</p>
          ) : (
            <table>
              <thead>
                <tr>
                  <th scope="col">Name</th>
                  <th scope="col">Came</th>
                  <th scope="col" class="number">
                    NAR
                  </th>
                </tr>
              </thead>
              <tbody>
                {paths.map(({ info: { storePath, narSize }, time }) => (
                  <tr key={`${storePath}`}>
                    <td>
                      <a href={linkOf(`${storePath}`)}>{storePath.name}</a>
                    </td>
                    <td>
                      <time dateTime={new Date(time).toISOString()}>{new Date(time).toLocaleString()}</time>
                    </td>
                    <td class="number">{bytes(narSize)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )
        }
      </Shown>
    </section>
  );
}
