// One conversation over however many sockets it takes: resumes, repeats what was not confirmed, backs off.
// Once it has ended it rests until something is said, which begins a new one.

import { memory } from "./memory.js";

const SILENCE = 12000; // ms without an answer after which the socket counts as dead
const SLOWEST = 8000; // ms between two tries at most

export class Connection {
  // `on` has the functions message(frame), state(name), settled(key), refused(error, key), speaks(language),
  // began(): a new session instead of the one that was to go on, or of none, and erased(frame): its last message.
  constructor(on, language) {
    this.on = on;
    this.address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/chat/ws`;
    this.language = language;
    this.pending = memory.pending;
    this.tries = 0;
    this.isReady = false;
    this.isLost = false;
    this.rests = false;
    addEventListener("online", () => this.again());
    addEventListener("offline", () => this.on.state("offline"));
    document.addEventListener("visibilitychange", () => document.hidden || this.again());
    this.open();
  }

  send(frame) {
    const keyed = { ...frame, key: newKey() };
    this.pending.push(keyed);
    memory.pending = this.pending;
    if (this.isReady) this.transmit(keyed);
    else this.wake();
    return keyed.key;
  }

  // What comes before everything that waits: the first words of a new session.
  begin(frame) {
    this.pending.unshift({ ...frame, key: newKey() });
    memory.pending = this.pending;
  }

  // The session is over: nothing is sent or asked for until something is said.
  rest() {
    this.rests = true;
    this.isReady = false;
    this.pending = [];
    clearTimeout(this.silence);
    clearTimeout(this.timer);
    this.socket.onclose = null;
    this.socket.close();
  }

  wake() {
    this.rests = false;
    this.again();
  }

  open() {
    clearTimeout(this.timer);
    const token = memory.session;
    const query = new URLSearchParams({ lang: this.language });
    if (token) query.set("resume", "1");
    const socket = (this.socket = new WebSocket(`${this.address}?${query}`));
    this.watch();
    socket.onopen = () => {
      if (token) socket.send(JSON.stringify({ resume: token, after: memory.last }));
    };
    socket.onmessage = (event) => socket === this.socket && this.receive(JSON.parse(event.data), token);
    socket.onclose = () => socket === this.socket && this.lost();
  }

  // Try at once, unless a socket is open or opening.
  again() {
    if (this.rests) return;
    if (this.socket.readyState > WebSocket.OPEN || this.isLost) {
      this.isLost = false;
      this.open();
    }
  }

  receive(frame, resumed) {
    this.watch();
    if (frame.session) {
      memory.session = frame.session;
      this.tries = 0;
      this.on.state("online");
      if (frame.session !== resumed) {
        memory.last = 0;
        this.on.began();
      }
      this.isReady = true;
      for (const waiting of [...this.pending]) this.transmit(waiting);
    } else if (frame.language) {
      this.on.speaks(frame.language);
    } else if (frame.done) {
      this.settle(frame.done);
      this.on.settled(frame.done);
    } else if (frame.error) {
      this.refuse(frame.error, frame.key);
    } else if (frame.erased) {
      this.rest();
      this.on.erased(frame);
    } else if (frame.id) {
      this.on.message(frame);
      memory.last = Math.max(memory.last, frame.id);
    }
  }

  refuse(error, key) {
    if (error.code === "slow_down" && key) {
      const again = this.pending.find((frame) => frame.key === key);
      if (again) setTimeout(() => this.isReady && this.transmit(again), 1500);
      return;
    }
    if (key) this.settle(key);
    this.on.refused(error, key);
  }

  transmit(frame) {
    this.socket.send(JSON.stringify(frame));
    this.watch();
  }

  settle(key) {
    this.pending = this.pending.filter((frame) => frame.key !== key);
    memory.pending = this.pending;
    this.watch();
  }

  // A phone that lost its network often does not notice: an answer that stays out is the sign.
  watch() {
    clearTimeout(this.silence);
    if (!this.pending.length && this.isReady) return;
    const socket = this.socket;
    this.silence = setTimeout(() => {
      if (socket !== this.socket) return;
      socket.onclose = null;
      socket.close();
      this.lost();
    }, SILENCE);
  }

  lost() {
    clearTimeout(this.silence);
    this.isReady = false;
    this.isLost = true;
    this.on.state(navigator.onLine === false || this.tries > 1 ? "offline" : "connecting");
    const wait = Math.min(SLOWEST, 400 * 2 ** this.tries) * (0.7 + 0.6 * Math.random());
    this.tries += 1;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.again(), wait);
  }
}

export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
