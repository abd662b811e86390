// The map on which a rider points at a place, with or without tiles.

import { ground, leaflet } from "../map_ground.js";
import { distance, fill, make } from "./show.js";

const STEP = 12; // pixels that an arrow key moves the pin; five times that with Shift

export class PinMap {
  // `on` has use(point), with the point in the map's own datum, and failed().
  constructor(config, words, on) {
    this.config = config;
    this.words = words;
    this.on = on;
    this.dialog = document.getElementById("map");
    this.jump = document.getElementById("map-jump");
    this.near = document.getElementById("map-near");
    this.why = document.getElementById("map-denied");
    config.landmarks.forEach((mark, i) => this.jump.append(make("option", { value: i }, mark.name)));
    this.jump.addEventListener("change", () => this.put(config.landmarks[this.jump.value], 13));
    document.getElementById("map-close").addEventListener("click", () => this.dialog.close());
    document.getElementById("map-use").addEventListener("click", () => {
      const { lat, lng } = this.pin.getLatLng().wrap();
      this.dialog.close();
      on.use({ lat: Number(lat.toFixed(6)), lng: Number(lng.toFixed(6)), datum: config.datum });
    });
  }

  // `why` says why there is no location yet. Without a network on the first time there is no map.
  async show(why = "") {
    this.why.textContent = why;
    this.why.hidden = !why;
    if (!this.dialog.open) this.dialog.showModal();
    try {
      await this.draw();
    } catch {
      this.dialog.close();
      this.on.failed();
      return;
    }
    this.map.invalidateSize();
    this.pin.getElement().focus();
  }

  async draw() {
    if (this.map) return;
    const L = await leaflet();
    const [middle] = this.config.landmarks;
    this.map = L.map("map-canvas", { keyboard: false }).setView([middle.lat, middle.lng], 11);
    ground(L, this.map, this.config);
    const icon = L.divIcon({ className: "pin", html: "<span></span>", iconSize: [44, 56], iconAnchor: [22, 52] });
    this.pin = L.marker([middle.lat, middle.lng], {
      draggable: true, autoPan: true, icon, title: this.words.pin, alt: this.words.pin, zIndexOffset: 1000,
    }).addTo(this.map);
    this.pin.getElement().setAttribute("aria-label", this.words.pin);
    this.pin.getElement().addEventListener("keydown", (event) => this.step(event));
    this.pin.on("move", () => this.tell());
    this.map.on("click", (event) => this.put(event.latlng));
    this.tell();
  }

  put(point, zoom) {
    this.pin.setLatLng([point.lat, point.lng]);
    if (zoom) this.map.setView([point.lat, point.lng], zoom);
    else this.map.panInside(this.pin.getLatLng(), { padding: [40, 60] });
  }

  step(event) {
    const way = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
    if (event.key === "+" || event.key === "=") this.map.zoomIn();
    if (event.key === "-") this.map.zoomOut();
    if (!way) return;
    event.preventDefault();
    const pixels = STEP * (event.shiftKey ? 5 : 1);
    const at = this.map.latLngToContainerPoint(this.pin.getLatLng()).add([way[0] * pixels, way[1] * pixels]);
    this.put(this.map.containerPointToLatLng(at));
  }

  // Where the pin is, in words, for those who cannot see it; said once it rests.
  tell() {
    clearTimeout(this.telling);
    this.telling = setTimeout(() => {
      const at = this.pin.getLatLng();
      const marks = this.config.landmarks.slice(1).map((mark) => [this.map.distance(at, mark), mark.name]);
      const [metres, name] = marks.sort(([a], [b]) => a - b)[0];
      this.near.textContent = fill(this.words.near, { distance: distance(metres, this.words), name });
    }, 250);
  }
}
