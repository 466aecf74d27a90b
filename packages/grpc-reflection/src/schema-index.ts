import type { DescFile, DescMessage, DescService } from "@bufbuild/protobuf";
import { toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

/** What server reflection looks things up in: the schema files of some services. */
export class SchemaIndex {
  readonly #services: readonly DescService[];
  readonly #files: Map<string, DescFile> = new Map();
  readonly #symbols: Map<string, DescFile> = new Map();
  readonly #messages: Set<string> = new Set();

  /** @param services those that a client may learn about */
  constructor(services: readonly DescService[]) {
    this.#services = services;
    for (const service of services) this.#addFile(service.file);
  }

  /** Full names of the services, in order. */
  serviceNames(): string[] {
    return this.#services.map(({ typeName }) => typeName).sort();
  }

  /** A file by its name, as imports give it. */
  fileByName(name: string): DescFile | undefined {
    return this.#files.get(name);
  }

  /** The file that declares a full name: of a service, method, message, field, oneof, enum or value. */
  fileBySymbol(symbol: string): DescFile | undefined {
    return this.#symbols.get(symbol.replace(/^\./, ""));
  }

  /** Whether this is the full name of a message. */
  hasMessage(typeName: string): boolean {
    return this.#messages.has(typeName.replace(/^\./, ""));
  }

  #addFile(file: DescFile): void {
    if (this.#files.has(file.proto.name)) return;
    this.#files.set(file.proto.name, file);
    for (const dependency of file.dependencies) this.#addFile(dependency);
    for (const service of file.services) {
      this.#symbols.set(service.typeName, file);
      for (const { name } of service.methods) this.#symbols.set(`${service.typeName}.${name}`, file);
    }
    for (const message of file.messages) this.#addMessage(message, file);
    for (const enumeration of file.enums) this.#addEnum(enumeration, file);
  }

  #addMessage(message: DescMessage, file: DescFile): void {
    this.#messages.add(message.typeName);
    this.#symbols.set(message.typeName, file);
    for (const { name } of [...message.fields, ...message.oneofs]) {
      this.#symbols.set(`${message.typeName}.${name}`, file);
    }
    for (const nested of message.nestedMessages) this.#addMessage(nested, file);
    for (const nested of message.nestedEnums) this.#addEnum(nested, file);
  }

  #addEnum(enumeration: DescFile["enums"][number], file: DescFile): void {
    this.#symbols.set(enumeration.typeName, file);
    // The values of an enum are siblings of the enum, not its children.
    const scope = enumeration.typeName.slice(0, enumeration.typeName.lastIndexOf(".") + 1);
    for (const { name } of enumeration.values) this.#symbols.set(scope + name, file);
  }
}

/** A file and everything it imports, encoded as FileDescriptorProto, the file itself first. */
export function encodeWithDependencies(file: DescFile): Uint8Array[] {
  const files = new Map<string, DescFile>();
  const visit = (visited: DescFile) => {
    if (files.has(visited.proto.name)) return;
    files.set(visited.proto.name, visited);
    visited.dependencies.forEach(visit);
  };
  visit(file);
  return [...files.values()].map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
}
