import { type JSX, render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { onTokenNeeded } from "./client.ts";
import { HomeView } from "./home-view.tsx";
import { PathView } from "./path-view.tsx";
import { SearchView } from "./search-view.tsx";
import { TokenForm } from "./token-form.tsx";

function App(): JSX.Element {
  const [place, setPlace] = useState(location.hash);
  const [needsToken, setNeedsToken] = useState(false);
  useEffect(() => onTokenNeeded(() => setNeedsToken(true)), []);
  useEffect(() => {
    const change = () => {
      setPlace(location.hash);
      // As a new page would: from its beginning, for those who see and those who listen.
      document.querySelector("main")?.focus();
      window.scrollTo(0, 0);
    };
    addEventListener("hashchange", change);
    // It may have changed before anybody listened.
    setPlace(location.hash);
    return () => removeEventListener("hashchange", change);
  }, []);
  return (
    <>
      <header>
        <a href="#/">tvix-store</a>
        <Search key={place} text={searchedText(place)} />
      </header>
      <main tabIndex={-1}>{needsToken ? <TokenForm /> : <View place={place} />}</main>
    </>
  );
}

function View({ place }: { place: string }): JSX.Element {
  const [, name, path = ""] = /^#\/path\/([0-9a-z]{32}-[^/]+)\/?(.*)$/.exec(place) ?? [];
  if (name !== undefined) {
    document.title = `${name.slice(33)} - tvix-store`;
    return <PathView key={name} name={name} path={path.replace(/\/$/, "")} />;
  }
  document.title = "tvix-store";
  const text = searchedText(place);
  return text === "" ? <HomeView /> : <SearchView key={text} text={text} />;
}

function searchedText(place: string): string {
  const [, text = ""] = /^#\/search\/(.*)$/.exec(place) ?? [];
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function Search({ text }: { text: string }): JSX.Element {
  const [typed, setTyped] = useState(text);
  const search = (event: Event) => {
    event.preventDefault();
    location.hash = typed.trim() === "" ? "#/" : `#/search/${encodeURIComponent(typed.trim())}`;
  };
  return (
    <search>
      <form onSubmit={search}>
        <input
          type="search"
          aria-label="Name or hash of a store path"
          placeholder="Name or hash"
          value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
        <button type="submit">Search</button>
      </form>
    </search>
  );
}

const place = document.getElementById("app");
if (place !== null) render(<App />, place);
