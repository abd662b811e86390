// What this device remembers of the conversation: words only, never where anybody was.

const MOST = 100;
const LARGEST = 30000; // characters of a picture that is worth keeping, such as a QR code

function read(store, key, otherwise) {
  try {
    return JSON.parse(store.getItem(key)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

function write(store, key, value) {
  try {
    store.setItem(key, JSON.stringify(value));
  } catch {
    // Full or forbidden: the page works on, it only forgets.
  }
}

export const memory = {
  get session() { return read(localStorage, "nuanxin.session", null); },
  set session(token) { write(localStorage, "nuanxin.session", token); },

  // The id of the newest message seen by any tab.
  get last() { return read(localStorage, "nuanxin.last", 0); },
  set last(id) { write(localStorage, "nuanxin.last", id); },

  get large() { return read(localStorage, "nuanxin.large", false); },
  set large(on) { write(localStorage, "nuanxin.large", on); },

  get log() { return read(localStorage, "nuanxin.log", []); },

  // Another tab may have written meanwhile, so read, add and write in one go.
  add(entry) {
    const log = this.log;
    if (log.some((other) => other.name === entry.name)) return;
    const { photo, ...light } = entry.message ?? {};
    log.push(photo?.length > LARGEST ? { ...entry, message: light } : entry);
    write(localStorage, "nuanxin.log", log.slice(-MOST));
  },

  clear() { write(localStorage, "nuanxin.log", []); },

  // Everything of this person goes; how large the print is says nothing of anybody.
  erase() {
    this.clear();
    this.session = null;
    this.last = 0;
    this.pending = [];
  },

  // Frames that the server has not confirmed, of this tab. Photos are too large to keep; where somebody is, is not kept.
  get pending() { return read(sessionStorage, "nuanxin.pending", []); },
  set pending(frames) {
    write(sessionStorage, "nuanxin.pending", frames.filter((frame) => !frame.photo && !frame.location));
  },

  // Calls `changed(log)` when another tab wrote or cleared the log, `erased()` when it erased everything.
  onChange(changed, erased) {
    addEventListener("storage", (event) => {
      if (event.key === "nuanxin.log") changed(this.log);
      if (event.key === "nuanxin.session" && !this.session) erased();
    });
  },
};
