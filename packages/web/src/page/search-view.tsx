import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { isFileName } from "./files.ts";
import { FoundFiles } from "./found-files.tsx";
import { useLoaded } from "./load.ts";
import { linkOf, type PathPage, searchPaths } from "./paths.ts";
import { bytes, Shown } from "./show.tsx";

/** Paths that were searched for; all of them where nothing was. */
export function SearchView({ text }: { text: string }): JSX.Element {
  const first = useLoaded(`search ${text}`, () => searchPaths(text, ""));
  return (
    <section aria-labelledby="search-heading">
      <h1 id="search-heading">{text === "" ? "Store paths" : `Store paths like “${text}”`}</h1>
      <Shown of={first}>{(page) => <Paths text={text} first={page} />}</Shown>
      {isFileName(text) && <FoundFiles key={text} name={text} />}
    </section>
  );
}

function Paths({ text, first }: { text: string; first: PathPage }): JSX.Element {
  const [page, setPage] = useState(first);
  const [failure, setFailure] = useState("");
  useEffect(() => setPage(first), [first]);
  const more = async () => {
    try {
      const next = await searchPaths(text, page.next);
      setPage({ infos: [...page.infos, ...next.infos], next: next.next });
    } catch (error) {
      setFailure((error as Error).message);
    }
  };
  return (
    <>
      {page.infos.length === 0 && page.next === "" && <p class="faint">None.</p>}
      {page.infos.length > 0 && (
        <table>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Hash</th>
              <th scope="col" class="number">
                NAR
              </th>
              <th scope="col" class="number">
                Refers to
              </th>
            </tr>
          </thead>
          <tbody>
            {page.infos.map(({ storePath, narSize, references }) => (
              <tr key={`${storePath}`}>
                <td>
                  <a href={linkOf(`${storePath}`)}>{storePath.name}</a>
                </td>
                <td>
                  <code>{storePath.digestText()}</code>
                </td>
                <td class="number">{bytes(narSize)}</td>
                <td class="number">{references.length}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {failure !== "" && (
        <p class="error" role="alert">
          {failure}
        </p>
      )}
      {page.next !== "" && (
        <button type="button" onClick={() => void more()}>
          More
        </button>
      )}
    </>
  );
}
