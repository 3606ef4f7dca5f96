process.env["ISOLATED_PLUGINS"] = "1";
await import("./work.test.ts");
