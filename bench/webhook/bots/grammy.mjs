// grammY on node's own http server, as its documentation has it; with `response` the answer rides in the webhook's response.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { around, distance } from "geokdbush";
import { Bot, webhookCallback } from "grammy";
import KDBush from "kdbush";

const { BENCH_PORT, BENCH_API, BENCH_SECRET, BENCH_TOKEN, BENCH_PLACES } = process.env;
const places = JSON.parse(readFileSync(BENCH_PLACES, "utf8"));
const index = new KDBush(places.length);
for (const place of places) index.add(place.lng, place.lat);
index.finish();

function nearest({ latitude, longitude }) {
  return around(index, longitude, latitude, 5)
    .map((id, n) => {
      const place = places[id];
      const metres = Math.trunc(distance(longitude, latitude, place.lng, place.lat) * 1000);
      return `${n + 1}. ${place.name} ${metres} m`;
    })
    .join("\n");
}

const inResponse = process.argv.includes("response");
const bot = new Bot(BENCH_TOKEN, {
  client: {
    apiRoot: BENCH_API,
    canUseWebhookReply: (method) => inResponse && method === "sendMessage",
  },
});
bot.on("message:location", (ctx) => ctx.reply(nearest(ctx.message.location)));
createServer(webhookCallback(bot, "http", { secretToken: BENCH_SECRET })).listen(Number(BENCH_PORT), "127.0.0.1");
