"""Reads voicemail.ready and keeps each voicemail in a folder: the event as <name>.json, its recording as <name>.wav. What it does per event
stands in keep; put your own work there.

    NATS_URL            nats://127.0.0.1:4222
    NATS_CREDS          a .creds file, if the server wants one
    VOICEMAIL_DIR       voicemails
    VOICEMAIL_ORIGINS   where recordings may be fetched from, such as https://files.example.com; several separated by commas
"""

import asyncio
import datetime
import hashlib
import http.client
import json
import os
import pathlib
import signal
import sys
import urllib.error
import urllib.parse
import urllib.request

import nats
import nats.errors
from nats.js import api

MAX_FILE = 100 << 20  # bytes of a recording
MAX_TRIES = 20  # then an event is kept without its recording
FOLDER = pathlib.Path(os.environ.get("VOICEMAIL_DIR", "voicemails"))
ORIGINS = os.environ.get("VOICEMAIL_ORIGINS", "").split(",")


class Never(Exception):
    """This is no voicemail.ready, and will never be one."""


class Gone(Exception):
    """A link will not work any more, or must not be used."""


def log(text):
    print(text, file=sys.stderr, flush=True)


def read(msg):
    """Takes a CloudEvent apart, in binary or structured mode. The id is the same whenever the same verdict comes again."""
    headers, body = msg.headers or {}, msg.data
    event_id, kind = headers.get("ce-id"), headers.get("ce-type")
    try:
        event = json.loads(body)
        if headers.get("Content-Type", "").startswith("application/cloudevents+json"):
            event_id, kind, event = event["id"], event["type"], event["data"]
            body = json.dumps(event, ensure_ascii=False).encode()
        if event_id and kind == "voicemail.ready" and event["sessionId"] and isinstance(event["fileUrl"], str):
            return event_id, body, event  # fields that are not known here are kept: they are added over time
    except (ValueError, KeyError, TypeError):
        pass
    raise Never("this is no voicemail.ready")


async def keep(msg):
    """Works on one event. It does so once for each id, however often the event is delivered: the .json file is written last, at once, and says that
    all is done. With a database, that is a unique key on the id, in the transaction of the work itself."""
    event_id, body, event = read(msg)
    name = hashlib.sha256(event_id.encode()).hexdigest()[:32]  # an id is any text: no name for a file
    done = FOLDER / (name + ".json")
    if done.exists():
        return
    try:
        write(FOLDER / (name + ".wav"), await asyncio.to_thread(download, event))
    except Exception as err:
        if not isinstance(err, Gone) and msg.metadata.num_delivered < MAX_TRIES:
            raise
        # The event is worth keeping without it. A link made anew comes as a voicemail.ready of its own, with another id.
        log(f"no recording of session {event['sessionId']}: {err}; "
            f"for another link: voicemail-relay publish {event.get('botId')} {event['sessionId']} --again")
    part = FOLDER / (name + ".part")
    write(part, body)
    part.rename(done)


def write(path, content):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as f:
        f.write(content)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: it would lead around ORIGINS."""

    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(NoRedirect)


def download(event):
    """Fetches the recording. The link is a credential: it stands in no error and no log. And it is somebody else's text: only known origins are
    asked, or an event could have this program read what stands on your own network."""
    try:
        url = urllib.parse.urlsplit(event["fileUrl"])
    except ValueError:
        url = urllib.parse.urlsplit("")
    if f"{url.scheme}://{url.netloc}" not in ORIGINS:
        raise Gone("its origin is not among VOICEMAIL_ORIGINS")
    expires = event.get("fileUrlExpiresAt")
    if expires and datetime.datetime.fromisoformat(expires.replace("Z", "+00:00")) < datetime.datetime.now(datetime.timezone.utc):
        raise Gone(f"the link expired at {expires}")
    try:
        with OPENER.open(event["fileUrl"], timeout=60) as resp:
            content = resp.read(MAX_FILE + 1)
    except urllib.error.HTTPError as err:
        if err.code in (401, 403, 404, 410):
            raise Gone(f"HTTP {err.code}, the link has expired or was revoked") from None
        raise OSError(f"the recording's host answers HTTP {err.code}") from None
    except (OSError, http.client.HTTPException) as err:
        raise OSError(f"the recording's host does not answer: {type(err).__name__}") from None
    if len(content) > MAX_FILE:
        raise Gone(f"the recording has more than {MAX_FILE} bytes")
    return content


async def main():
    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    stop = asyncio.Event()
    for sig in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sig, stop.set)
    nc = await nats.connect(os.environ.get("NATS_URL", "nats://127.0.0.1:4222").split(","), name="voicemail consumer",
                            user_credentials=os.environ.get("NATS_CREDS"), max_reconnect_attempts=-1)
    # Durable: it goes on where it stopped. Run as many of this program as you like, they share the work.
    pull = await nc.jetstream().pull_subscribe("voicemail.ready", durable="example-python", stream="VOICEMAILS", config=api.ConsumerConfig(
        ack_policy=api.AckPolicy.EXPLICIT, ack_wait=120, max_ack_pending=100))
    log("reading voicemail.ready")
    while not stop.is_set():
        try:
            [msg] = await pull.fetch(1, timeout=1)  # one in hand: ack_wait runs from when it is pulled
        except nats.errors.TimeoutError:
            continue
        try:
            await keep(msg)
            await msg.ack()  # after the work
        except Never as err:
            log(f"left out: {err}")
            await msg.term()
        except Exception as err:
            log(f"tried again in 10 s: {err}")
            await msg.nak(delay=10)
    await nc.flush()  # the acknowledgements
    await nc.close()


if __name__ == "__main__":
    asyncio.run(main())
