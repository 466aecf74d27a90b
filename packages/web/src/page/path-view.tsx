import type { PathInfo } from "@tvix/store";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { get } from "./client.ts";
import { type Closure, closureOf } from "./closure.ts";
import { ClosureGraph } from "./closure-graph.tsx";
import { type Loaded, useLoaded } from "./load.ts";
import { getPath, linkOf } from "./paths.ts";
import { findReferrers } from "./referrers.ts";
import { bytes, Copy, Shown } from "./show.tsx";
import { Tree } from "./tree.tsx";

/** Everything about a store path. */
export function PathView({ name, path }: { name: string; path: string }): JSX.Element {
  const info = useLoaded(name, () => getPath(name));
  return (
    <>
      <h1>{name.slice(33)}</h1>
      <p>
        <code>/nix/store/{name}</code>
      </p>
      <Shown of={info}>{(found) => <Facts info={found} />}</Shown>
      <Tree name={name} path={path} />
      <Shown of={info}>{(found) => <More info={found} />}</Shown>
    </>
  );
}

function Facts({ info }: { info: PathInfo }): JSX.Element {
  const { storePath, narSize, narHash, signatures, deriver, contentAddress } = info;
  const hash = storePath.digestText();
  const narInfo = useLoaded(`narinfo ${hash}`, async () => {
    const text = await (await get(`/${hash}.narinfo`)).text();
    return /^URL: (.*)$/m.exec(text)?.[1];
  });
  return (
    <dl>
      <dt>NAR</dt>
      <dd>
        {bytes(narSize)}, <code>{narHash.toSri()}</code>{" "}
        <Shown of={narInfo}>
          {(url) =>
            url && (
              <a href={`/${url}`} download={`${storePath}.${url.split(".").slice(1).join(".")}`}>
                download
              </a>
            )
          }
        </Shown>
      </dd>
      <dt>Narinfo</dt>
      <dd>
        <a href={`/${hash}.narinfo`}>{hash}.narinfo</a>
      </dd>
      <dt>Closure</dt>
      <dd>
        <a href={`/closure/${hash}`} download={`${storePath}.closure`}>
          for nix-store --import
        </a>
      </dd>
      <dt>Signed by</dt>
      <dd>{signatures.length === 0 ? "nobody" : signatures.map(({ name }) => name).join(", ")}</dd>
      {contentAddress !== undefined && (
        <>
          <dt>Named by</dt>
          <dd>its contents, as {contentAddress.method}</dd>
        </>
      )}
      {deriver !== undefined && (
        <>
          <dt>Built from</dt>
          <dd>{`${deriver}`}</dd>
        </>
      )}
    </dl>
  );
}

function More({ info }: { info: PathInfo }): JSX.Element {
  const path = `/nix/store/${info.storePath}`;
  const closure = useLoaded(`closure ${info.storePath}`, () => closureOf(info));
  return (
    <>
      <section aria-labelledby="commands-heading">
        <h2 id="commands-heading">For Nix</h2>
        <Copy label="fetch it" text={`nix copy --from ${location.origin} ${path}`} />
        <Copy label="have Nix ask this store" text={`tvix-store use ${location.origin} --write`} />
        <Copy
          label="unpack it without Nix"
          text={`curl -s ${location.origin}/serve/${info.storePath}.tar | tar x`}
        />
      </section>
      <section aria-labelledby="references-heading">
        <h2 id="references-heading">Refers to</h2>
        {info.references.length === 0 ? (
          <p class="faint">Nothing.</p>
        ) : (
          <PathList names={info.references.map(String)} />
        )}
      </section>
      <Referrers info={info} />
      <ClosureSection closure={closure} />
    </>
  );
}

function ClosureSection({ closure }: { closure: Loaded<Closure> }): JSX.Element {
  return (
    <section aria-labelledby="closure-heading">
      <h2 id="closure-heading">Closure</h2>
      <Shown of={closure}>
        {(found) => (
          <>
            <p>
              {found.nodes.length} {found.nodes.length === 1 ? "path" : "paths"}
              {found.isCut ? " and more" : ""}, {bytes(found.narBytes)} as NARs
            </p>
            {found.nodes.length > 1 && <ClosureGraph closure={found} />}
          </>
        )}
      </Shown>
    </section>
  );
}

function Referrers({ info }: { info: PathInfo }): JSX.Element {
  const [isAsked, setAsked] = useState(false);
  return (
    <section aria-labelledby="referrers-heading">
      <h2 id="referrers-heading">Is referred to by</h2>
      {isAsked ? (
        <FoundReferrers info={info} />
      ) : (
        <button type="button" onClick={() => setAsked(true)}>
          Look through all paths
        </button>
      )}
    </section>
  );
}

function FoundReferrers({ info }: { info: PathInfo }): JSX.Element {
  const referrers = useLoaded(`referrers ${info.storePath}`, () => findReferrers(info.storePath));
  return (
    <Shown of={referrers}>
      {(names) => (names.length === 0 ? <p class="faint">Nothing else.</p> : <PathList names={names} />)}
    </Shown>
  );
}

function PathList({ names }: { names: readonly string[] }): JSX.Element {
  return (
    <ul class="plain">
      {names.map((name) => (
        <li>
          <a href={linkOf(name)}>{name}</a>
        </li>
      ))}
    </ul>
  );
}
