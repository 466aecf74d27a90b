import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { PAGE_FOLDER, PAGE_SECURITY_POLICY } from "@tvix/web";
import type { FastifyInstance, FastifyReply } from "fastify";

/** Types of the files there are. */
const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};

/** A file of the page. */
interface PageFile {
  readonly type: string;
  readonly bytes: Buffer;
}

/** The page at which people look at a store in a browser: some files, which are kept in memory. */
export class Page {
  readonly #files: ReadonlyMap<string, PageFile>;

  private constructor(files: ReadonlyMap<string, PageFile>) {
    this.#files = files;
  }

  /** Reads the files; a package that is not built has none. */
  static async load(): Promise<Page> {
    const files = new Map<string, PageFile>();
    const folder = fileURLToPath(PAGE_FOLDER);
    const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
    for (const entry of entries.filter((one) => one.isFile())) {
      const path = join(entry.parentPath, entry.name);
      const name = relative(folder, path);
      const type = TYPES[name.slice(name.lastIndexOf(".") + 1)] ?? "application/octet-stream";
      files.set(name, { type, bytes: await readFile(path) });
    }
    return new Page(files);
  }

  /** Whether a request for `/` comes from somebody who reads pages. */
  isWanted(accept: string | undefined): boolean {
    return this.#files.has("index.html") && /\btext\/html\b/.test(accept ?? "");
  }

  /** Answers with the page itself. */
  send(reply: FastifyReply): FastifyReply {
    return this.#send(reply, "index.html", "no-cache");
  }

  /** Serves the files that the page consists of. */
  addRoutes(app: FastifyInstance): void {
    for (const name of this.#files.keys()) {
      // Names change with contents.
      const caching = name.startsWith("assets/") ? "public, max-age=31536000, immutable" : "no-cache";
      app.get(`/web/${name}`, async (_request, reply) => this.#send(reply, name, caching));
    }
  }

  #send(reply: FastifyReply, name: string, caching: string): FastifyReply {
    const { type, bytes } = this.#files.get(name) as PageFile;
    return reply
      .headers({
        "content-security-policy": PAGE_SECURITY_POLICY,
        "cache-control": caching,
        "referrer-policy": "no-referrer",
        vary: "accept",
      })
      .type(type)
      .send(bytes);
  }
}
