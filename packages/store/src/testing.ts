export * as fixtures from "./testing/fixtures.ts";
export {
  type PathInfoFixtures,
  type PathInfoServiceFixture,
  testPathInfoService,
} from "./testing/path-info-service.ts";
