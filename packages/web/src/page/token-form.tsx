import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { keepToken } from "./client.ts";

/** Asks for a token, and begins anew with it. */
export function TokenForm(): JSX.Element {
  const [token, setToken] = useState("");
  const enter = (event: Event) => {
    event.preventDefault();
    keepToken(token.trim());
    location.reload();
  };
  return (
    <section aria-labelledby="token-heading">
      <h1 id="token-heading">This store wants a token</h1>
      <p>
        Whoever runs it makes one with <code>tvix-store token create --scope read</code>. It is kept until
        this tab is closed.
      </p>
      <form onSubmit={enter}>
        <input
          type="password"
          autocomplete="off"
          aria-label="Token"
          value={token}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
        <button type="submit">Look</button>
      </form>
    </section>
  );
}
