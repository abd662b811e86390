// Whoever came by a link from their chat goes on here in a session of their own; what was here before is forgotten.

import { newKey } from "./connection.js";
import { memory } from "./memory.js";

memory.erase();
memory.session = document.getElementById("session").dataset.token;
memory.pending = [{ text: "/menu", key: newKey() }];
location.replace("/");
