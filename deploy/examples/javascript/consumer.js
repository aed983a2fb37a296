// Reads voicemail.ready and keeps each voicemail in a folder: the event as <name>.json, its recording as <name>.wav. What it does per event
// stands in keep; put your own work there.
//
//   NATS_URL            nats://127.0.0.1:4222
//   NATS_CREDS          a .creds file, if the server wants one
//   VOICEMAIL_DIR       voicemails
//   VOICEMAIL_ORIGINS   where recordings may be fetched from, such as https://files.example.com; several separated by commas
import { createHash } from "node:crypto";
import { access, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, credsAuthenticator, nanos } from "@nats-io/transport-node";

const MAX_FILE = 100 << 20; // bytes of a recording
const MAX_TRIES = 20; // then an event is kept without its recording
const dir = process.env.VOICEMAIL_DIR || "voicemails";
const origins = (process.env.VOICEMAIL_ORIGINS || "").split(",");

// This is no voicemail.ready, and will never be one.
class Never extends Error {}
// A link will not work any more, or must not be used.
class Gone extends Error {}

// Takes a CloudEvent apart, in binary or structured mode. The id is the same whenever the same verdict comes again.
function read(m) {
  let id = m.headers?.get("ce-id");
  let type = m.headers?.get("ce-type");
  let body = m.string();
  try {
    let event = JSON.parse(body);
    if (m.headers?.get("Content-Type").startsWith("application/cloudevents+json")) {
      ({ id, type, data: event } = event);
      body = JSON.stringify(event);
    }
    if (id && type === "voicemail.ready" && event.sessionId && typeof event.fileUrl === "string") {
      return { id, body, event }; // fields that are not known here are kept: they are added over time
    }
  } catch (err) {
    if (!(err instanceof SyntaxError)) throw err;
  }
  throw new Never("this is no voicemail.ready");
}

// Works on one event. It does so once for each id, however often the event is delivered: the .json file is written last, at once, and says that
// all is done. With a database, that is a unique key on the id, in the transaction of the work itself.
async function keep(m) {
  const { id, body, event } = read(m);
  const path = join(dir, createHash("sha256").update(id).digest("hex").slice(0, 32)); // an id is any text: no name for a file
  if (await access(`${path}.json`).then(() => true, () => false)) return;
  try {
    await writeFile(`${path}.wav`, await download(event), { mode: 0o600 });
  } catch (err) {
    if (!(err instanceof Gone) && m.info.deliveryCount < MAX_TRIES) throw err;
    await rm(`${path}.wav`, { force: true });
    // The event is worth keeping without it. A link made anew comes as a voicemail.ready of its own, with another id.
    const { botId, sessionId } = event;
    console.error(`no recording of session ${sessionId}: ${err.message}; for another link: voicemail-relay publish ${botId} ${sessionId} --again`);
  }
  await writeFile(`${path}.part`, body, { mode: 0o600 });
  await rename(`${path}.part`, `${path}.json`);
}

// Fetches the recording. The link is a credential: it stands in no error and no log. And it is somebody else's text: only known origins are asked,
// or an event could have this program read what stands on your own network. No redirect is followed: it would lead around that.
async function download({ fileUrl, fileUrlExpiresAt }) {
  const url = URL.canParse(fileUrl) ? new URL(fileUrl) : undefined;
  if (!url || url.username || url.password || !origins.includes(url.origin)) throw new Gone("its origin is not among VOICEMAIL_ORIGINS");
  if (Date.parse(fileUrlExpiresAt) < Date.now()) throw new Gone(`the link expired at ${fileUrlExpiresAt}`);
  let resp;
  try {
    resp = await fetch(fileUrl, { redirect: "manual", signal: AbortSignal.timeout(60_000) });
  } catch (err) {
    throw new Error(`the recording's host does not answer: ${err.cause?.code ?? err.name}`);
  }
  if ([401, 403, 404, 410].includes(resp.status)) throw new Gone(`HTTP ${resp.status}, the link has expired or was revoked`);
  if (resp.status !== 200) throw new Error(`the recording's host answers HTTP ${resp.status}`);
  const parts = [];
  let size = 0;
  for await (const part of resp.body) {
    if ((size += part.length) > MAX_FILE) throw new Gone(`the recording has more than ${MAX_FILE} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

await mkdir(dir, { recursive: true, mode: 0o700 });
const nc = await connect({
  servers: (process.env.NATS_URL || "nats://127.0.0.1:4222").split(","),
  authenticator: process.env.NATS_CREDS ? credsAuthenticator(await readFile(process.env.NATS_CREDS)) : undefined,
  name: "voicemail consumer",
  maxReconnectAttempts: -1,
});
// Durable: it goes on where it stopped. Run as many of this program as you like, they share the work.
const manager = await jetstreamManager(nc);
await manager.consumers.add("VOICEMAILS", {
  durable_name: "example-javascript",
  filter_subject: "voicemail.ready",
  ack_policy: "explicit",
  ack_wait: nanos(120_000),
  max_ack_pending: 100,
});
const consumer = await jetstream(nc).consumers.get("VOICEMAILS", "example-javascript");
const messages = await consumer.consume({ max_messages: 1 }); // one in hand: ack_wait runs from when it is pulled
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => messages.close());
console.error("reading voicemail.ready");
for await (const m of messages) {
  try {
    await keep(m);
    m.ack(); // after the work
  } catch (err) {
    if (err instanceof Never) {
      console.error(`left out: ${err.message}`);
      m.term("no voicemail.ready");
    } else {
      console.error(`tried again in 10 s: ${err.message}`);
      m.nak(10_000);
    }
  }
}
await nc.drain();
