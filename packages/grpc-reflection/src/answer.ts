import type { DescFile, MessageInitShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import type {
  ServerReflectionRequest,
  ServerReflectionResponseSchema,
} from "./gen/grpc/reflection/v1/reflection_pb.ts";
import { encodeWithDependencies, type SchemaIndex } from "./schema-index.ts";

/** A request of either version. */
export type ReflectionRequest = Pick<ServerReflectionRequest, "host" | "messageRequest">;

/** A response of either version. */
type ReflectionResponse = MessageInitShape<typeof ServerReflectionResponseSchema>;

/** The response to one request of the stream; a failed look-up is an answer too. */
export function answer(index: SchemaIndex, request: ReflectionRequest): ReflectionResponse {
  const { host, messageRequest } = request;
  return {
    validHost: host,
    originalRequest: { host, messageRequest },
    messageResponse: respond(index, messageRequest),
  };
}

function respond(index: SchemaIndex, request: ReflectionRequest["messageRequest"]) {
  switch (request.case) {
    case "fileByFilename":
      return fileResponse(index.fileByName(request.value), `file not found: ${request.value}`);
    case "fileContainingSymbol":
      return fileResponse(index.fileBySymbol(request.value), `symbol not found: ${request.value}`);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = request.value;
      return notFound(`extension not found: ${extensionNumber} of ${containingType}`);
    }
    case "allExtensionNumbersOfType":
      if (!index.hasMessage(request.value)) return notFound(`type not found: ${request.value}`);
      return {
        case: "allExtensionNumbersResponse" as const,
        value: { baseTypeName: request.value, extensionNumber: [] },
      };
    case "listServices": {
      const service = index.serviceNames().map((name) => ({ name }));
      return { case: "listServicesResponse" as const, value: { service } };
    }
    default:
      return errorResponse(Code.InvalidArgument, "message_request is not set");
  }
}

function fileResponse(file: DescFile | undefined, otherwise: string) {
  if (file === undefined) return notFound(otherwise);
  return {
    case: "fileDescriptorResponse" as const,
    value: { fileDescriptorProto: encodeWithDependencies(file) },
  };
}

function notFound(errorMessage: string) {
  return errorResponse(Code.NotFound, errorMessage);
}

function errorResponse(errorCode: Code, errorMessage: string) {
  return { case: "errorResponse" as const, value: { errorCode, errorMessage } };
}
