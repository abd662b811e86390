// What this device remembers of the conversation: words only, never where anybody was.

const MOST = 100;

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
    log.push(entry);
    write(localStorage, "nuanxin.log", log.slice(-MOST));
  },

  clear() { write(localStorage, "nuanxin.log", []); },

  // Frames that the server has not confirmed, of this tab. Photos are too large to keep.
  get pending() { return read(sessionStorage, "nuanxin.pending", []); },
  set pending(frames) { write(sessionStorage, "nuanxin.pending", frames.filter((frame) => !frame.photo)); },

  onChange(listener) {
    addEventListener("storage", (event) => {
      if (event.key === "nuanxin.log") listener(this.log);
    });
  },
};
