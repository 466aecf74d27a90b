export { Health, type ServingStatus } from "./health.ts";
export { addHealthRoutes, HEALTH_SERVICE } from "./health-routes.ts";
export { addReflectionRoutes, REFLECTION_SERVICES } from "./reflection-routes.ts";
export { SchemaIndex } from "./schema-index.ts";
