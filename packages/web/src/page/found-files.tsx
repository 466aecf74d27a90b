import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { encodedPath } from "./encoded-path.ts";
import { type FilesPage, findFiles } from "./files.ts";
import { useLoaded } from "./load.ts";
import { linkOf } from "./paths.ts";
import { bytes, Shown } from "./show.tsx";

/** Files of a name, in whatever paths they are; nothing where the server does not keep that. */
export function FoundFiles({ name }: { name: string }): JSX.Element | null {
  const loaded = useLoaded(`files ${name}`, () => findFiles(name, undefined));
  if (loaded.state === "done" && loaded.value === undefined) return null;
  return (
    <section aria-labelledby="files-heading">
      <h2 id="files-heading">Files called “{name}”</h2>
      <Shown of={loaded}>{(page) => page && <Files name={name} first={page} />}</Shown>
    </section>
  );
}

function Files({ name, first }: { name: string; first: FilesPage }): JSX.Element {
  const [page, setPage] = useState(first);
  const [failure, setFailure] = useState("");
  const [isLoading, setLoading] = useState(false);
  const more = async () => {
    setLoading(true);
    try {
      const next = await findFiles(name, page.next);
      setPage({ files: [...page.files, ...(next?.files ?? [])], next: next?.next });
    } catch (error) {
      setFailure((error as Error).message);
    }
    setLoading(false);
  };
  return (
    <>
      {page.files.length === 0 && page.next === undefined && <p class="faint">None.</p>}
      <ul class="plain">
        {page.files.map(({ storePath, path, pathBase64, type, size }) => (
          <li key={`${storePath}/${pathBase64 ?? path}`}>
            <a href={`${linkOf(storePath.replace("/nix/store/", ""))}/${encodedPath(path, pathBase64)}`}>
              {`${storePath}/${path}`}
            </a>{" "}
            <span class="faint">{type === "regular" ? bytes(Number(size)) : type}</span>
          </li>
        ))}
      </ul>
      {failure !== "" && (
        <p class="error" role="alert">
          {failure}
        </p>
      )}
      {page.next !== undefined && (
        <button type="button" disabled={isLoading} onClick={() => void more()}>
          More files
        </button>
      )}
    </>
  );
}
