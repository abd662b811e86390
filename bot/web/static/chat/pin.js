// The map on which a rider points at a place, with or without tiles.

import { distance, fill, make } from "./show.js";

const vendor = (name) => new URL(`../vendor/leaflet/${name}`, import.meta.url).href;
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
    this.map.attributionControl.setPrefix("Leaflet");
    L.control.scale({ imperial: false }).addTo(this.map);
    if (this.config.tiles) {
      L.tileLayer(this.config.tiles, { attribution: this.config.attribution, maxZoom: 19 }).addTo(this.map);
    } else {
      grid(L, this.config.landmarks).addTo(this.map);
    }
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

// Without tiles: lines every tenth of a degree, and the names of the county seats.
function grid(L, landmarks) {
  const group = L.layerGroup();
  const lats = landmarks.map((mark) => mark.lat);
  const lngs = landmarks.map((mark) => mark.lng);
  const box = { south: Math.min(...lats) - 0.5, north: Math.max(...lats) + 0.5, west: Math.min(...lngs) - 0.6, east: Math.max(...lngs) + 0.6 };
  const line = (points) => L.polyline(points, { className: "grid-line", interactive: false, weight: 1 }).addTo(group);
  for (let lat = Math.ceil(box.south * 10) / 10; lat <= box.north; lat += 0.1) line([[lat, box.west], [lat, box.east]]);
  for (let lng = Math.ceil(box.west * 10) / 10; lng <= box.east; lng += 0.1) line([[box.south, lng], [box.north, lng]]);
  for (const mark of landmarks.slice(1)) {
    const label = make("span", {}, mark.name);
    const icon = L.divIcon({ className: "seat", html: label, iconSize: null });
    L.marker([mark.lat, mark.lng], { icon, interactive: false, keyboard: false }).addTo(group);
  }
  return group;
}

let loading;

function leaflet() {
  loading ??= new Promise((resolve, reject) => {
    document.head.append(make("link", { rel: "stylesheet", href: vendor("leaflet.css") }));
    document.head.append(make("script", { src: vendor("leaflet.js"), onload: () => resolve(window.L), onerror: reject }));
  });
  loading.catch(() => { loading = undefined; });
  return loading;
}
