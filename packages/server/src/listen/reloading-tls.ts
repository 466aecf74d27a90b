import { readFileSync, statSync } from "node:fs";
import { createSecureContext, type SecureContextOptions, type Server, type TlsOptions } from "node:tls";

/** Where a certificate is. */
export interface TlsFiles {
  /** The certificate and those between it and its root, in PEM. */
  readonly certFile: string;
  /** Its key, in PEM. */
  readonly keyFile: string;
  /** Whose certificates clients have to show, in PEM; undefined: none are asked for. */
  readonly clientCaFile?: string | undefined;
}

/** How often the files are looked at, in milliseconds. */
const INTERVAL_MS = 1000;

/** Time that a client has for its handshake, in milliseconds. */
const HANDSHAKE_MS = 10_000;

/** The oldest version that is spoken: what is older is broken. */
const MIN_VERSION = "TLSv1.2";

/**
 * A certificate that is read again when its files change. Connections that are open keep the one they
 * began with; what cannot be used leaves the old one in place, until all the files fit together.
 */
export class ReloadingTls {
  readonly #files: TlsFiles;
  readonly #onFailure: (error: unknown) => void;
  readonly #servers: Set<Server> = new Set();
  readonly #timer: NodeJS.Timeout;
  #version: string;
  #context: SecureContextOptions;

  /**
   * @param onFailure told when changed files cannot be used
   * @throws Error when they cannot be used at first
   */
  constructor(files: TlsFiles, onFailure: (error: unknown) => void) {
    this.#files = files;
    this.#onFailure = onFailure;
    this.#version = this.#look();
    this.#context = this.#read();
    this.#timer = setInterval(() => this.#reload(), INTERVAL_MS).unref();
  }

  /** Whether clients have to show a certificate. */
  get asksClients(): boolean {
    return this.#files.clientCaFile !== undefined;
  }

  /** What a server begins with. */
  get options(): TlsOptions {
    return {
      ...this.#context,
      requestCert: this.asksClients,
      rejectUnauthorized: this.asksClients,
      ALPNProtocols: ["h2", "http/1.1"],
      handshakeTimeout: HANDSHAKE_MS,
    };
  }

  /** Gives a server the new certificate whenever there is one, until it closes. */
  keepFresh(server: Server): void {
    this.#servers.add(server);
    server.once("close", () => this.#servers.delete(server));
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #reload(): void {
    try {
      const version = this.#look();
      if (version === this.#version) return;
      this.#context = this.#read();
      this.#version = version;
      for (const server of this.#servers) server.setSecureContext(this.#context);
    } catch (error) {
      this.#onFailure(error);
    }
  }

  /** What tells these files from others, also where they are links that lead elsewhere now. */
  #look(): string {
    const { certFile, keyFile, clientCaFile } = this.#files;
    return [certFile, keyFile, ...(clientCaFile === undefined ? [] : [clientCaFile])]
      .map((path) => statSync(path, { bigint: true }))
      .map(({ dev, ino, size, mtimeNs }) => `${dev} ${ino} ${size} ${mtimeNs}`)
      .join();
  }

  #read(): SecureContextOptions {
    const { certFile, keyFile, clientCaFile } = this.#files;
    const context: SecureContextOptions = {
      cert: readFileSync(certFile),
      key: readFileSync(keyFile),
      minVersion: MIN_VERSION,
      ...(clientCaFile === undefined ? {} : { ca: readFileSync(clientCaFile) }),
    };
    try {
      createSecureContext(context);
    } catch (cause) {
      throw new Error(`${certFile} and ${keyFile} cannot be used: ${(cause as Error).message}`, { cause });
    }
    return context;
  }
}
