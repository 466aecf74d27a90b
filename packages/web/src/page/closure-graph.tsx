import type { JSX } from "preact";
import type { Closure, ClosureNode } from "./closure.ts";
import { linkOf } from "./paths.ts";
import { bytes } from "./show.tsx";

/** Paths that a drawing still shows. */
const MAX_DRAWN = 150;

const ROW = 20;
const COLUMN = 260;

/** A closure as a drawing: what is referred to lies to the right of what refers to it. Large ones are a table. */
export function ClosureGraph({ closure }: { closure: Closure }): JSX.Element {
  const { nodes } = closure;
  if (nodes.length > MAX_DRAWN) return <ClosureTable nodes={nodes} />;
  const places = new Map<string, { x: number; y: number }>();
  const rows: number[] = [];
  for (const { info, depth } of nodes) {
    rows[depth] = (rows[depth] ?? 0) + 1;
    places.set(`${info.storePath}`, { x: depth * COLUMN + 10, y: (rows[depth] as number) * ROW });
  }
  const width = rows.length * COLUMN + 20;
  const height = (Math.max(...rows.filter(Boolean)) + 1) * ROW;
  return (
    <figure>
      <svg class="closure" viewBox={`0 0 ${width} ${height}`}>
        <title>{`Closure of ${nodes.length} paths`}</title>
        {nodes.flatMap(({ info }) =>
          info.references.map((reference) => {
            const [from, to] = [places.get(`${info.storePath}`), places.get(`${reference}`)];
            if (from === undefined || to === undefined || from === to) return undefined;
            return <line x1={from.x + 4} y1={from.y} x2={to.x} y2={to.y} />;
          }),
        )}
        {nodes.map(({ info: { storePath, narSize } }) => {
          const { x, y } = places.get(`${storePath}`) as { x: number; y: number };
          return (
            <a href={linkOf(`${storePath}`)} aria-label={`${storePath.name}, ${bytes(narSize)}`}>
              <circle cx={x} cy={y} r="3" fill="currentColor" />
              <text x={x + 7} y={y + 4}>
                {short(storePath.name)}
              </text>
            </a>
          );
        })}
      </svg>
    </figure>
  );
}

function short(name: string): string {
  return name.length > 34 ? `${name.slice(0, 33)}…` : name;
}

function ClosureTable({ nodes }: { nodes: readonly ClosureNode[] }): JSX.Element {
  const largest = [...nodes].sort((a, b) => b.info.narSize - a.info.narSize).slice(0, MAX_DRAWN);
  return (
    <>
      <p class="faint">
        Too many to draw: the {largest.length} largest of {nodes.length}.
      </p>
      <table>
        <thead>
          <tr>
            <th scope="col">Path</th>
            <th scope="col" class="number">
              NAR
            </th>
            <th scope="col" class="number">
              Steps away
            </th>
          </tr>
        </thead>
        <tbody>
          {largest.map(({ info, depth }) => (
            <tr>
              <td>
                <a href={linkOf(`${info.storePath}`)}>{`${info.storePath}`}</a>
              </td>
              <td class="number">{bytes(info.narSize)}</td>
              <td class="number">{depth}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
