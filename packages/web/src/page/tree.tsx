import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { get } from "./client.ts";
import { encodedPath } from "./encoded-path.ts";
import { useLoaded } from "./load.ts";
import { bytes, Shown } from "./show.tsx";

/** A node as the server lists it. */
interface ListedNode {
  readonly type: "directory" | "file" | "symlink";
  readonly size?: number;
  readonly executable?: boolean;
  readonly target?: string;
  readonly entries?: readonly (ListedNode & { readonly name: string; readonly nameBase64?: string })[];
}

/** Rows that are shown before somebody asks for more. */
const ROWS = 500;

/** A place in a store path: a directory is listed, a file is shown or offered. */
export function Tree({ name, path }: { name: string; path: string }): JSX.Element {
  const url = `/serve/${name}${path === "" ? "" : `/${path}`}`;
  const node = useLoaded(url, async () => (await (await get(`${url}?format=json`)).json()) as ListedNode);
  return (
    <section aria-labelledby="tree-heading">
      <h2 id="tree-heading">Files</h2>
      <Crumbs name={name} path={path} />
      <Shown of={node}>
        {(found) =>
          found.type === "directory" ? (
            <Entries
              url={url}
              base={`#/path/${name}/${path === "" ? "" : `${path}/`}`}
              entries={found.entries ?? []}
            />
          ) : found.type === "symlink" ? (
            <p>
              A link to <code>{found.target}</code>
            </p>
          ) : (
            <File url={url} node={found} />
          )
        }
      </Shown>
    </section>
  );
}

function Crumbs({ name, path }: { name: string; path: string }): JSX.Element {
  const parts = path === "" ? [] : path.split("/");
  return (
    <nav aria-label="Place in the path">
      <a href={`#/path/${name}`}>/</a>
      {parts.map((part, index) => (
        <>
          {" "}
          <a href={`#/path/${name}/${parts.slice(0, index + 1).join("/")}`}>{decoded(part)}</a>
          {index < parts.length - 1 ? " /" : ""}
        </>
      ))}
    </nav>
  );
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function Entries({
  url,
  base,
  entries,
}: {
  url: string;
  base: string;
  entries: NonNullable<ListedNode["entries"]>;
}): JSX.Element {
  const [filter, setFilter] = useState("");
  const [rows, setRows] = useState(ROWS);
  const wanted = filter.toLowerCase();
  const matching =
    wanted === "" ? entries : entries.filter(({ name }) => name.toLowerCase().includes(wanted));
  return (
    <>
      <p>
        {entries.length} entries. <a href={`${url}.tar`}>tar</a> <a href={`${url}.zip`}>zip</a>{" "}
        <a href={`${url}?format=html`}>plain list</a>
      </p>
      {entries.length > 20 && (
        <input
          type="search"
          aria-label="Filter by name"
          placeholder="Filter"
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
      )}
      <table>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col" class="number">
              Size
            </th>
            <th scope="col">Type</th>
          </tr>
        </thead>
        <tbody>
          {matching.slice(0, rows).map((entry) => (
            <tr key={entry.name}>
              <td>
                <a href={`${base}${encodedPath(entry.name, entry.nameBase64)}`}>
                  {entry.name}
                  {entry.type === "directory" ? "/" : ""}
                </a>
              </td>
              <td class="number">
                {entry.size === undefined ? "" : entry.type === "directory" ? entry.size : bytes(entry.size)}
              </td>
              <td>
                {entry.type === "symlink"
                  ? `link to ${entry.target}`
                  : entry.executable
                    ? "executable"
                    : entry.type}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {matching.length > rows && (
        <button type="button" onClick={() => setRows(rows + 10 * ROWS)}>
          Show more of {matching.length}
        </button>
      )}
    </>
  );
}

/** Files up to this length are shown, in bytes. */
const MAX_SHOWN = 1 << 20;

function File({ url, node: { size = 0 } }: { url: string; node: ListedNode }): JSX.Element {
  const contents = useLoaded(`contents of ${url}`, async () => {
    if (size > MAX_SHOWN) return undefined;
    const response = await get(url);
    const type = response.headers.get("content-type") ?? "";
    if (/^image\/(?:png|jpeg|gif|webp|avif|svg)/.test(type))
      return { image: URL.createObjectURL(await response.blob()) };
    return /^text\/|json|xml|javascript|toml|yaml/.test(type) ? { text: await response.text() } : undefined;
  });
  return (
    <>
      <p>
        {bytes(size)}.{" "}
        <a href={url} download>
          Download
        </a>
      </p>
      <Shown of={contents}>
        {(shown) =>
          shown === undefined ? (
            <p class="faint">It is not shown: too long, or no text and no picture.</p>
          ) : "text" in shown ? (
            <pre>{shown.text}</pre>
          ) : (
            <img class="shown" src={shown.image} alt="Contents of the file" />
          )
        }
      </Shown>
    </>
  );
}
