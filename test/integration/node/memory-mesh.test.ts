import { expect, test } from "vitest";
import { definePlugin } from "receptor-mesh/plugin";
import { MemoryMesh } from "receptor-mesh/testing";

const greet = definePlugin({
  name: "greet",
  actions: {
    async *run(input, context) {
      yield `hello ${await input.text()} from ${context.node} to ${context.sender}`;
    },
  },
});

test("MemoryMesh carries work over a relay without a socket, also to a node that starts later", async () => {
  await using mesh = new MemoryMesh();
  const controller = await mesh.node({ id: "controller", peers: ["relay"] });
  await mesh.node({ id: "worker", peers: ["relay"], plugins: [greet] });
  await mesh.node({ id: "relay" });
  await controller.reachable("worker");
  expect(controller.status().nodes.find(({ id }) => id === "worker")).toMatchObject({
    via: "relay",
    hops: 2,
    plugins: [{ name: "greet", actions: ["run"] }],
  });
  const work = await controller.send("worker", "greet:run", "you");
  const texts: string[] = [];
  for await (const response of work) texts.push(response.text());
  expect(texts).toEqual(["hello you from worker to controller"]);
});
