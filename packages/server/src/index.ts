export { binaryCacheServicesOf } from "./binary-cache-services.ts";
export {
  formatListenAddress,
  type ListenAddress,
  parseListenAddress,
} from "./listen/listen-address.ts";
export { type RunningServer, type ServerOptions, startServer } from "./server.ts";
export { type LocalServices, type Services, servicesOf } from "./services.ts";
