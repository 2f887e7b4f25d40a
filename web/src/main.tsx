import { render } from "preact";
import { App } from "./App.tsx";
import { begin } from "./store.ts";

const place = document.getElementById("app");
if (place) render(<App />, place);
void begin();
if ("serviceWorker" in navigator) void navigator.serviceWorker.register("/sw.js");
