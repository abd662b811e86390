// While a form is filled, what its button `look` would show follows; without this the button shows it.
//
// `data-live` of the form names the elements, by id, that the answer brings anew.

const PAUSE = 600; // milliseconds without a key before it is asked for

document.querySelectorAll("form[data-live]").forEach(watch);

function watch(form) {
  const places = form.dataset.live.split(" ").map((id) => document.getElementById(id));
  let waiting;
  let asked = 0;

  form.addEventListener("input", (event) => {
    if (event.target.type === "file") return;
    clearTimeout(waiting);
    waiting = setTimeout(look, PAUSE);
  });

  async function look() {
    const mine = ++asked;
    const typed = new FormData(form);
    for (const field of form.querySelectorAll("input[type=file]")) typed.delete(field.name);
    typed.set("look", "1");
    try {
      const answer = await fetch(form.action, { method: "POST", body: typed });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (mine !== asked) return; // a later question was answered first
      for (const place of places) {
        const fresh = page.getElementById(place.id);
        if (fresh) place.replaceChildren(...fresh.childNodes);
      }
    } catch {
      // No connection: what was shown last stays, and saving will tell.
    }
  }

  if (form.hasAttribute("data-live-now")) look();
}
