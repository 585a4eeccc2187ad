import { effect } from "@preact/signals";
import { render } from "preact";
import { App } from "./app";
import { colours } from "./theme";
import "./theme.css";
import "./shell.css";

effect(() => void colours.value); // puts the theme on the page before anything is drawn
const root = document.getElementById("app");
if (root) render(<App />, root);
